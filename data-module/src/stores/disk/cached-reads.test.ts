import assert from 'node:assert/strict';
import { rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { ChooseRange, DataStore, OpenBlob } from '../../data-store.js';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { openFilesUnder } from '../../testing/open-files.js';
import { CachedReads as Reads } from './cached-reads.js';
import { blobFile } from './disk-layout.js';
import { openDiskStore } from './disk-store.js';
import { OpenFile } from './file-calls.js';
import { PIECE_BYTES, readSmallFile } from './file-reader.js';

const all = (): undefined => undefined;

class CachedReads extends Reads {
  read(key: string, file: string, choose: ChooseRange): OpenBlob | undefined {
    return this.atOnce(key, () => readSmallFile(file, choose));
  }
}

test('only what was noted a moment ago is read at once, and over a network nothing is', async t => {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const file = path.join(await temporaryFolder(t), 'blob');
  await writeFile(file, 'content');
  const reads = new CachedReads(true);
  assert.equal(reads.read('key', file, all), undefined);
  reads.note('key');
  assert.equal(String(reads.read('key', file, all)?.bytes), 'content');
  now += 9_000;
  assert.equal(
    String(reads.read('key', file, all)?.bytes),
    'content',
    'known for longer as it was read again',
  );
  now += 9_000;
  assert.equal(reads.read('other', file, all), undefined);
  now += 11_000;
  assert.equal(reads.read('key', file, all), undefined);
  const remote = new CachedReads(false);
  remote.note('key');
  assert.equal(remote.read('key', file, all), undefined);
});

test('the keys that are known are few, and the latest', async t => {
  const file = path.join(await temporaryFolder(t), 'blob');
  await writeFile(file, 'content');
  const reads = new CachedReads(true);
  for (let n = 0; n < 50_000; n += 1) reads.note(`key ${n}`);
  assert.equal(String(reads.read('key 49999', file, all)?.bytes), 'content');
  assert.equal(reads.read('key 20000', file, all), undefined);
});

test('after a read that waited for the disk others go through a thread, for a while', async t => {
  let now = 0;
  let takes = 10;
  t.mock.method(performance, 'now', () => (now += takes));
  const file = path.join(await temporaryFolder(t), 'blob');
  await writeFile(file, 'content');
  const reads = new CachedReads(true);
  reads.note('key');
  assert.equal(String(reads.read('key', file, all)?.bytes), 'content');
  takes = 0;
  assert.equal(reads.read('key', file, all), undefined);
  now += 1_000;
  assert.equal(String(reads.read('key', file, all)?.bytes), 'content');
});

test('a blob that is in memory and deleted, or asked for wrongly, is an error that leaves nothing open', async t => {
  const volume = await temporaryFolder(t);
  const fileSystem = { isLocal: true, syncsNames: false };
  const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed', fileSystem });
  const key = await store.putSmall(Buffer.from('content'));
  const refusal = new CatalogueError('InvalidRange');
  const refuse = (): never => {
    throw refusal;
  };
  for (let n = 0; n < 3; n += 1)
    await assert.rejects(store.open(key, refuse), err => isErrorType(err, 'InvalidRange'));
  assert.equal(String((await store.open(key, () => ({ start: 1, end: 2 }))).bytes), 'on');
  // Another worker may have deleted it.
  await rm(blobFile(volume, key));
  await assert.rejects(store.open(key, all), err => isErrorType(err, 'ObjNotFound'));
  assert.deepEqual(await openFilesUnder(volume), []);
  await store.close();
});

const LARGE_BYTES = 4 * 1024 * 1024 + 5;

/** A store of one large blob, and how many of its pieces were read at once since the last look. */
async function largeBlob(t: TestContext): Promise<{
  readonly store: DataStore;
  readonly volume: string;
  readonly key: string;
  readonly sha256: string;
  readonly readsAtOnce: () => number;
}> {
  const volume = await temporaryFolder(t);
  const fileSystem = { isLocal: true, syncsNames: false };
  const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed', fileSystem });
  t.after(() => store.close());
  const key = await store.put(generatedBytes(1, LARGE_BYTES), LARGE_BYTES);
  const { sha256 } = await digestOf(generatedBytes(1, LARGE_BYTES));
  const calls = t.mock.method(OpenFile.prototype, 'readNow').mock;
  const readsAtOnce = (): number => {
    const count = calls.callCount();
    calls.resetCalls();
    return count;
  };
  return { store, volume, key, sha256, readsAtOnce };
}

test('a large blob of which all was read a moment ago is read at once, but not much of it', async t => {
  const { store, volume, key, sha256, readsAtOnce } = await largeBlob(t);
  await digestOf(await store.get(key, { start: 0, end: LARGE_BYTES - 2 }));
  assert.equal((await digestOf(await store.get(key))).sha256, sha256);
  assert.equal(readsAtOnce(), 0, 'a part of it is not all');
  assert.equal((await digestOf(await store.get(key))).sha256, sha256);
  const pieces = Math.ceil(LARGE_BYTES / PIECE_BYTES);
  const count = readsAtOnce();
  assert.ok(count > pieces / 2 && count < pieces, `${count} of ${pieces}: others are served in between`);
  const end = await digestOf(await store.get(key, { start: 70_000, end: LARGE_BYTES - 1 }));
  assert.equal(end.size, LARGE_BYTES - 70_000);
  assert.ok(readsAtOnce() > 0);
  assert.deepEqual(await openFilesUnder(volume), []);
});

test('a large blob that ends early, is closed, or has gone, is the same error at once', async t => {
  const { store, volume, key, readsAtOnce } = await largeBlob(t);
  await digestOf(await store.get(key));
  const left = await store.open?.(key, all);
  assert.ok(left);
  await left.next();
  await left.next();
  left.close();
  await assert.rejects(left.next(), err => isErrorType(err, 'InternalError'));
  const shortened = await store.open?.(key, all);
  assert.ok(shortened);
  await truncate(blobFile(volume, key), 1024 * 1024);
  await assert.rejects(
    (async () => {
      while ((await shortened.next()) !== undefined);
    })(),
    /ended \d+ bytes early/,
  );
  shortened.close();
  assert.ok(readsAtOnce() > 0);
  await rm(blobFile(volume, key));
  await assert.rejects(store.get(key), err => isErrorType(err, 'ObjNotFound'));
  assert.deepEqual(await openFilesUnder(volume), []);
});
