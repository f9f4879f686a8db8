/** Run by `full-disk.test.ts` on a file system of 1 MiB: `node full-disk-ready-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { closeLevel, openLevel, writeBatch } from '../../level-calls.js';
import { JsonDown } from '../json-down.js';
import { allEntries } from './collect.js';

const NO_ROOM = { code: 'LEVEL_UNAVAILABLE', message: /journal-000001\.jsonl cannot be written: ENOSPC/ };
const root = process.argv[2] ?? '';
const [small, large] = [path.join(root, 'small'), path.join(root, 'large')];
await writeFile(small, Buffer.alloc(50_000));
await writeFile(large, Buffer.alloc(400_000));
// No new generation, which would make room by itself.
const store = new JsonDown(path.join(root, 'store'), { journalMinBytes: 2 ** 30 });
await openLevel(store);
const expected: Record<string, string> = {};

async function put(key: string, bytes: number): Promise<void> {
  const value = 'v'.repeat(bytes);
  await writeBatch(store, [{ type: 'put', key, value }]);
  expected[key] = value;
}

async function putUntilFull(bytes: number): Promise<void> {
  for (let number = 0; ; number += 1) {
    try {
      await put(`${bytes}-${number}`, bytes);
    } catch (err) {
      assert.match(String(err), NO_ROOM.message);
      return;
    }
  }
}

const journal = (): Promise<string> => readFile(path.join(root, 'store', 'journal-000001.jsonl'), 'utf8');

for (const bytes of [30_000, 3000, 300, 10]) await putUntilFull(bytes);
const full = await journal();
for (let times = 0; times < 3; times += 1) {
  await assert.rejects(store.ping(), NO_ROOM);
  assert.equal(await journal(), full, 'what was tried is taken back');
}
assert.deepEqual(await allEntries(store), expected, 'what is there can be read');

// Several pings and batches at once: each has its turn.
await assert.rejects(put('too large', 200_000), NO_ROOM);
await rm(small);
const outcomes = await Promise.allSettled([store.ping(), put('a', 200_000), store.ping(), put('b', 100)]);
assert.deepEqual(
  outcomes.map(({ status }) => status),
  ['rejected', 'rejected', 'rejected', 'fulfilled'],
);
await store.ping();
await assert.rejects(put('too large', 200_000), NO_ROOM);
await assert.rejects(store.ping(), NO_ROOM);
const before = await journal();
await rm(large);
await store.ping();
await store.ping();
assert.equal(await journal(), before, 'what was tried is taken back');
await Promise.all([store.ping(), put('c', 200_000), store.ping()]);

await closeLevel(store);
await openLevel(store);
assert.deepEqual(await allEntries(store), expected);
await put('last', 10);
await closeLevel(store);
// As if the process had ended in the middle of a ping.
const names = await readdir(path.join(root, 'store'));
const newest =
  names
    .filter(name => name.endsWith('.jsonl'))
    .sort()
    .at(-1) ?? '';
await appendFile(path.join(root, 'store', newest), 'x'.repeat(100_000));
await openLevel(store);
assert.deepEqual(await allEntries(store), expected);
await closeLevel(store);
console.log('ready when there was room');
