/** Run by `full-disk.test.ts` on a file system of 8 MiB: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { openPackedStore, type PackedStore } from '../packed-store.js';
import { packedOptions } from './packed-options.js';

const KiB = 1024;
const SIZE = 30 * KiB;
const folder = process.argv[2] ?? '';

const readAll = async (store: PackedStore, blobs: ReadonlyMap<string, number>): Promise<void> => {
  for (const [key, fill] of blobs)
    assert.deepEqual(await buffer(await store.get(key)), Buffer.alloc(SIZE, fill), key);
};

const put = async (store: PackedStore, blobs: Map<string, number>, fill: number): Promise<void> => {
  blobs.set(await store.put(Readable.from([Buffer.alloc(SIZE, fill)]), SIZE), fill);
};

/** Puts several at once, with readers beside, until the disk takes no more. */
async function fillUp(store: PackedStore, blobs: Map<string, number>): Promise<void> {
  for (let round = 0, refused = 0; refused < 20; round += 1) {
    const [puts] = await Promise.all([
      Promise.allSettled(Array.from({ length: 8 }, () => put(store, blobs, round % 256))),
      readAll(store, new Map(blobs)),
    ]);
    for (const result of puts) {
      if (result.status === 'fulfilled') continue;
      assert.ok(isErrorType(result.reason, 'ServiceUnavailable'), String(result.reason));
      assert.match(result.reason.message, /disk is full/);
      refused += 1;
    }
  }
}

const segments = async (): Promise<string[]> =>
  (await readdir(path.join(folder, 'segments'))).filter(name => name.endsWith('.seg'));

async function scenario(reserve: number): Promise<void> {
  const options = packedOptions({
    PACKED_MAX_BLOB_BYTES: 64 * KiB,
    PACKED_SEGMENT_BYTES: 512 * KiB,
    PACKED_RESERVE_BYTES: reserve,
  });
  const blobs = new Map<string, number>();
  let store = await openPackedStore(folder, options, silentLogger());
  await fillUp(store, blobs);
  const full = await segments();
  await fillUp(store, blobs);
  assert.deepEqual(await segments(), full, 'refused puts leave no files');
  if (reserve > 0) await assert.rejects(store.ping(), err => isErrorType(err, 'ServiceUnavailable'));

  // Opened again on a full disk, without a hint file that would save it from reading.
  await store.close();
  await rm(path.join(folder, 'segments', '00000002.hint'), { force: true });
  store = await openPackedStore(folder, options, silentLogger());
  await readAll(store, blobs);

  if (reserve > 0) {
    // Deletions find the room that was kept, and compaction gives back what they free, with readers beside.
    const half = [...blobs.keys()].slice(0, blobs.size / 2);
    for (const key of half) blobs.delete(key);
    await Promise.all([...half.map(key => store.delete(key)), readAll(store, blobs)]);
    await Promise.all([store.compact(), readAll(store, blobs)]);
    assert.ok((await segments()).length < full.length);
    await put(store, blobs, 7);
    await readAll(store, blobs);
    await store.ping();
  }
  await store.close();
}

await scenario(1024 * KiB);
await rm(path.join(folder, 'segments'), { recursive: true });
await scenario(0);
console.log('full, readable and writable again');
