/** Run by `full-disk.test.ts` on a file system of 2 MiB: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { closeLevel, openLevel, writeBatch } from '../../level-calls.js';
import { JsonDown } from '../json-down.js';
import { allEntries } from './collect.js';

const root = process.argv[2] ?? '';
const ballast = path.join(root, 'ballast');
const spare = path.join(root, 'spare');
await writeFile(ballast, Buffer.alloc(600_000));
await writeFile(spare, Buffer.alloc(100_000));
const expected: Record<string, string> = {};
const store = new JsonDown(path.join(root, 'store'), { journalMinBytes: 200_000 });
await openLevel(store);

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

await fill('first');
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
await fill('second');
await rm(spare);
await store.ping();
await writeBatch(store, [{ type: 'put', key: 'same', value: 'process' }]);
expected.same = 'process';
await closeLevel(store);
await openLevel(store);
assert.deepEqual(await allEntries(store), expected);
await closeLevel(store);
console.log(`${Object.keys(expected).length} entries kept on a full disk`);
