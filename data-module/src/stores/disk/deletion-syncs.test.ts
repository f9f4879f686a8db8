import assert from 'node:assert/strict';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { DeletionSyncs } from './deletion-syncs.js';
import { openDiskStore } from './disk-store.js';
import { FileCalls, type OpenFile } from './file-calls.js';

test('what is deleted during a sync waits for the next, which serves all', async t => {
  const folder = await temporaryFolder(t);
  const calls = new FileCalls(5_000);
  t.after(() => calls.stop());
  const opened = t.mock.method(calls, 'open');
  const syncs = new DeletionSyncs(calls, path.join(folder, '0.'));
  const first = syncs.sync(folder);
  // By now it has begun.
  await Promise.resolve().then(() => Promise.resolve());
  const others = Array.from({ length: 50 }, () => syncs.sync(folder));
  assert.equal(opened.mock.callCount(), 1);
  await Promise.all([first, ...others]);
  assert.equal(opened.mock.callCount(), 2);
  assert.deepEqual(await readdir(folder), []);
});

test('a sync that fails is made up for in the folder, and the next is tried anew', async t => {
  const folder = await temporaryFolder(t);
  const uploads = path.join(folder, 'uploads');
  const calls = new FileCalls(5_000);
  t.after(() => calls.stop());
  const ofFolder = t.mock.method(calls, 'syncFolder');
  const syncs = new DeletionSyncs(calls, path.join(uploads, '0.'));
  await Promise.all([syncs.sync(folder), syncs.sync(folder)]);
  assert.equal(ofFolder.mock.callCount(), 2);
  await mkdir(uploads);
  await syncs.sync(folder);
  assert.equal(ofFolder.mock.callCount(), 2);
  // What cannot be synced at all is no success.
  await rm(uploads, { recursive: true });
  await assert.rejects(syncs.sync(path.join(folder, 'missing')), { code: 'ENOENT' });
  const silence = t.mock.method(calls, 'open', (): Promise<OpenFile> => {
    throw Object.assign(new Error('I/O error'), { code: 'EIO' });
  });
  await assert.rejects(syncs.sync(folder), { code: 'EIO' });
  silence.mock.restore();
});

test('a blob is deleted though the folder of uploads has gone', async t => {
  const volume = await temporaryFolder(t);
  const fileSystem = { isLocal: true, syncsNames: true };
  const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed', fileSystem });
  const key = await store.putSmall(Buffer.from('content'));
  await rm(path.join(volume, '.uploads'), { recursive: true });
  await store.delete(key);
  await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'));
  await store.close();
});
