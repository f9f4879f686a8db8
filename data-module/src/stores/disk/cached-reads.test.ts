import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { openFilesUnder } from '../../testing/open-files.js';
import { CachedReads } from './cached-reads.js';
import { blobFile } from './disk-layout.js';
import { openDiskStore } from './disk-store.js';

const all = (): undefined => undefined;

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
