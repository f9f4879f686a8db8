/** Run by `full-disk.test.ts` on a file system of 2 MiB: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { closeLevel, openLevel, writeBatch } from '../../level-calls.js';
import { JsonDown } from '../json-down.js';
import { allEntries } from './collect.js';

const root = process.argv[2] ?? '';
const ballast = path.join(root, 'ballast');
const spare = path.join(root, 'spare');
await writeFile(ballast, Buffer.alloc(600_000));
await writeFile(spare, Buffer.alloc(100_000));
const expected: Record<string, string> = {};
/** What the writer is writing. */
let trying = { key: '', value: '' };
const store = new JsonDown(path.join(root, 'store'), { journalMinBytes: 200_000 });
await openLevel(store);

/** What readers were given: it holds from then on. */
const shown: Record<string, string> = {};
let stop = false;
let complete = 0;

/** While the disk fills up and is full: all that was written before, nothing that was not tried, or an error by name. */
async function read(): Promise<void> {
  while (!stop) {
    const before = Object.entries({ ...expected, ...shown });
    try {
      const seen = await allEntries(store);
      for (const [key, value] of before) assert.equal(seen[key], value, `${key} as a reader sees it`);
      const written = { ...expected, [trying.key]: trying.value };
      for (const [key, value] of Object.entries(seen))
        assert.equal(written[key], value, `${key} was never written`);
      Object.assign(shown, seen);
      complete += 1;
    } catch (err) {
      if ((err as { code?: string }).code !== 'LEVEL_UNAVAILABLE') throw err;
    }
    await setImmediate();
  }
}

/** Readers beside the writer. */
async function beside(work: () => Promise<void>): Promise<void> {
  [stop, complete] = [false, 0];
  const readers = Promise.all([read(), read()]);
  await Promise.race([work(), readers]);
  stop = true;
  await readers;
  assert.ok(complete > 0, 'a reader was given everything');
}

/** What a failed write has left in the journal is removed at once. */
async function assertNothingHalf(): Promise<void> {
  const folder = path.join(root, 'store');
  for (const name of (await readdir(folder)).filter(file => file.endsWith('.jsonl'))) {
    assert.match(await readFile(path.join(folder, name), 'utf8'), /\}\n$/, `${name} ends in a whole line`);
  }
}

/** Writes until the disk is full. Small batches fill what a large one left. */
async function fill(prefix: string): Promise<void> {
  for (const size of [30_000, 3000, 300, 10]) {
    for (let number = 0; ; number += 1) {
      const key = `${prefix}-${size}-${number}`;
      const value = 'v'.repeat(size);
      trying = { key, value };
      try {
        await writeBatch(store, [{ type: 'put', key, value }]);
      } catch (err) {
        assert.match(String(err), /journal-\d+\.jsonl.*ENOSPC/);
        assert.equal((err as { code?: string }).code, 'LEVEL_UNAVAILABLE');
        await assertNothingHalf();
        break;
      }
      expected[key] = value;
    }
  }
}

await beside(() => fill('first'));
assert.deepEqual(await allEntries(store), expected, 'what is there can be read while the disk is full');
await closeLevel(store);
await assert.rejects(openLevel(store), {
  code: 'LEVEL_UNAVAILABLE',
  message: /store cannot be .*No space left/,
});
await rm(ballast);
await openLevel(store);
assert.deepEqual(await allEntries(store), expected, 'and is there after a restart');
await writeBatch(store, [{ type: 'put', key: 'more', value: 'room' }]);
expected.more = 'room';
await beside(async () => {
  await fill('second');
  await rm(spare);
  await store.ping();
  trying = { key: 'same', value: 'process' };
  await writeBatch(store, [{ type: 'put', ...trying }]);
  expected.same = 'process';
});
await closeLevel(store);
await openLevel(store);
assert.deepEqual(await allEntries(store), expected);
await closeLevel(store);
console.log(`${Object.keys(expected).length} entries kept on a full disk`);
