/** Bits that flip in segments and hint files: one key answers an error, all others their bytes. */
import assert from 'node:assert/strict';
import { open, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { openPackedStore, type PackedStore } from './packed-store.js';
import { recordBytes, SEGMENT_HEAD_BYTES } from '../record-format.js';
import { packedOptions } from './testing/packed-options.js';

const COUNT = 20;
const SIZE = 500;
const RECORD = recordBytes(SIZE);

interface Filled {
  readonly folder: string;
  readonly segment: string;
  readonly keys: readonly string[];
}

const bytesOf = (index: number): Buffer => Buffer.alloc(SIZE, index + 1);
const reopened = (folder: string): Promise<PackedStore> =>
  openPackedStore(folder, packedOptions(), silentLogger());

/** A store with one segment of COUNT records, closed. */
async function filled(t: TestContext): Promise<Filled> {
  const folder = await temporaryFolder(t);
  const store = await reopened(folder);
  const keys: string[] = [];
  for (let index = 0; index < COUNT; index += 1)
    keys.push(await store.put(Readable.from([bytesOf(index)]), SIZE));
  await store.close();
  return { folder, segment: path.join(folder, 'segments', '00000001.seg'), keys };
}

async function flipBit(file: string, byte: number, bit: number): Promise<void> {
  const handle = await open(file, 'r+');
  const one = Buffer.alloc(1);
  await handle.read(one, 0, 1, byte);
  one[0] = (one[0] ?? 0) ^ (1 << bit);
  await handle.write(one, 0, 1, byte);
  await handle.close();
}

/** Which of `keys` answer an error; all others must answer their bytes. */
async function damagedOf(store: PackedStore, keys: readonly string[]): Promise<number[]> {
  const damaged: number[] = [];
  for (const [index, key] of keys.entries()) {
    try {
      assert.ok((await buffer(await store.get(key))).equals(bytesOf(index)), `blob ${index}`);
    } catch (err) {
      assert.ok(isErrorType(err, 'InternalError'), String(err));
      damaged.push(index);
    }
  }
  return damaged;
}

for (const hint of ['with', 'without'] as const) {
  test(`a flipped bit anywhere in a record concerns its key alone, ${hint} a hint file`, async t => {
    const random = seededRandom(t);
    for (let round = 0; round < 60; round += 1) {
      const { folder, segment, keys } = await filled(t);
      if (hint === 'without') await rm(segment.replace('.seg', '.hint'));
      const index = random.integer(0, COUNT - 1);
      await flipBit(
        segment,
        SEGMENT_HEAD_BYTES + index * RECORD + random.integer(0, RECORD - 1),
        random.integer(0, 7),
      );
      const store = await reopened(folder);
      const damaged = await damagedOf(store, keys);
      // A bit in the padding, or in one of the two places of the key, harms nothing.
      assert.ok(
        damaged.length === 0 || (damaged.length === 1 && damaged[0] === index),
        `${index}: ${damaged.join()}`,
      );
      await store.close();
    }
  });
}

test('a flipped bit in the data is seen at the first read, and compaction keeps the segment for a look', async t => {
  const { folder, segment, keys } = await filled(t);
  await flipBit(segment, SEGMENT_HEAD_BYTES + 3 * RECORD + 100, 3);
  const store = await reopened(folder);
  assert.deepEqual(await damagedOf(store, keys), [3]);
  const deleted = keys.filter((_key, index) => index >= 5);
  await Promise.all(deleted.map(key => store.delete(key)));
  await store.compact();
  assert.deepEqual(await readdir(path.join(folder, 'damaged')), ['00000001.seg']);
  assert.deepEqual(await damagedOf(store, keys.slice(0, 5)), [3]);
  await store.close();
  const again = await reopened(folder);
  assert.deepEqual(await damagedOf(again, keys.slice(0, 5)), [3], 'also after a restart');
  for (const key of deleted) await assert.rejects(again.stat(key), err => isErrorType(err, 'ObjNotFound'));
  await again.delete(keys[3] ?? '');
  await assert.rejects(again.stat(keys[3] ?? ''), err => isErrorType(err, 'ObjNotFound'));
  await again.close();
});

test('a hint file that is damaged, cut short, or of another size is made again', async t => {
  const random = seededRandom(t);
  const { folder, segment, keys } = await filled(t);
  const hint = segment.replace('.seg', '.hint');
  const good = await readFile(hint);
  for (let round = 0; round < 20; round += 1) {
    if (round % 2 === 0) await flipBit(hint, random.integer(0, good.length - 1), random.integer(0, 7));
    else await truncate(hint, random.integer(0, good.length - 1));
    const store = await reopened(folder);
    assert.deepEqual(await damagedOf(store, keys), []);
    await store.close();
    assert.ok((await readFile(hint)).equals(good));
  }
});

test('a torn end is cut off at every byte, and what lies before it stays', async t => {
  const { folder, segment, keys } = await filled(t);
  const whole = await readFile(segment);
  for (let cut = 1; cut <= RECORD * 2 + 1; cut += 7) {
    const handle = await open(segment, 'w');
    await handle.write(whole.subarray(0, whole.length - cut));
    await handle.close();
    await rm(segment.replace('.seg', '.hint'), { force: true });
    const store = await reopened(folder);
    const left = Math.floor((whole.length - cut - SEGMENT_HEAD_BYTES) / RECORD);
    assert.deepEqual(await damagedOf(store, keys.slice(0, left)), []);
    for (const key of keys.slice(left))
      await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'));
    assert.equal((await stat(segment)).size, SEGMENT_HEAD_BYTES + left * RECORD);
    await store.close();
  }
});

test('a segment file that is gone while the store runs is an error, not a missing blob', async t => {
  const { folder, segment, keys } = await filled(t);
  const store = await reopened(folder);
  await rm(segment);
  await assert.rejects(store.get(keys[0] ?? ''), err => isErrorType(err, 'InternalError'));
  await store.close();
});
