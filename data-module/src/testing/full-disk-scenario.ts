/** Run by `disk-full.test.ts` on a file system of 8 MiB: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { openDiskStore } from '../stores/disk/disk-store.js';
import { blobsUnder } from './blob-files.js';
import { digestOf, generatedBytes } from './generated-bytes.js';
import { scrubbed } from './scrubbed.js';

const MiB = 1024 * 1024;
const folder = process.argv[2] ?? '';
const store = await openDiskStore(folder, silentLogger());
const isFull = (err: unknown): boolean => {
  assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
  assert.match(err.message, /disk is full|no room/);
  return true;
};

const kept = await store.put(generatedBytes(1, 4 * MiB), 4 * MiB);
// The disk fills up while this one is written; the next is refused before it begins.
await assert.rejects(store.put(generatedBytes(2, 6 * MiB), 6 * MiB), isFull);
await assert.rejects(store.put(generatedBytes(2, 20 * MiB), 20 * MiB), isFull);
assert.deepEqual(await readdir(path.join(folder, '.uploads')), []);
assert.deepEqual(await digestOf(await store.get(kept)), await digestOf(generatedBytes(1, 4 * MiB)));
await store.delete(kept);
await store.put(generatedBytes(3, 6 * MiB), 6 * MiB);

const { available } = await store.diskUsage();
const last = await store.put(generatedBytes(4, available), available);
await assert.rejects(store.ping(), isFull);
// A blob without a byte needs no room, but its checksum does.
let empty = 0;
const fill = async (): Promise<never> => {
  for (;;) {
    await store.putSmall(Buffer.alloc(0));
    empty += 1;
  }
};
await assert.rejects(fill(), isFull);
assert.equal((await blobsUnder(folder)).length, 2 + empty, 'nothing is left of what was refused');
await assert.rejects(store.putSmall(Buffer.alloc(0)), isFull);
const logs = (await readdir(path.join(folder, '.checksums'))).length;
await assert.rejects(store.putSmall(Buffer.alloc(0)), isFull);
assert.equal((await readdir(path.join(folder, '.checksums'))).length, logs, 'no new log for each');
await store.delete(last);
await store.putSmall(Buffer.from('there is room'));
assert.deepEqual(await scrubbed(store), { sound: 2 + empty });
await store.close();
console.log('full, cleaned up and writable again');
