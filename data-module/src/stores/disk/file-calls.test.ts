/** A volume that does not answer. A named pipe that nobody writes to stands for it: opening one waits in the system. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs, { constants } from 'node:fs';
import { open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { rejectsWith } from '../../testing/contract/harness.js';
import { openFilesUnder } from '../../testing/open-files.js';
import { StoreLayer } from '../store-layer.js';
import { blobFile } from './disk-layout.js';
import { openDiskStore } from './disk-store.js';
import { FileCalls } from './file-calls.js';

async function pipe(t: TestContext): Promise<string> {
  const file = path.join(await temporaryFolder(t), 'pipe');
  execFileSync('mkfifo', [file]);
  return file;
}

/** Lets all that wait for readers of the pipe go on. */
async function release(file: string): Promise<void> {
  const writer = await open(file, 'r+');
  await sleep(50);
  await writer.close();
}

test('a call that is never answered is given up, and what it opens late is closed', async t => {
  const file = await pipe(t);
  const calls = new FileCalls(500);
  t.after(() => calls.stop());
  await assert.rejects(calls.open(file, 'r'), err => isErrorType(err, 'ServiceUnavailable'));
  await release(file);
  await sleep(100);
  assert.deepEqual(await openFilesUnder(path.dirname(file)), []);
});

test('while nothing is answered one call tries and the others fail at once; then all goes on', async t => {
  const file = await pipe(t);
  const calls = new FileCalls(500);
  t.after(() => calls.stop());
  await assert.rejects(calls.open(file, 'r'));
  const trying = assert.rejects(calls.open(file, 'r'));
  let hasTried = false;
  void trying.then(() => (hasTried = true));
  await assert.rejects(calls.stat(path.dirname(file)), err => isErrorType(err, 'ServiceUnavailable'));
  assert.equal(hasTried, false);
  await trying;
  // The next to try is answered.
  await calls.stat(path.dirname(file));
  await Promise.all(Array.from({ length: 5 }, () => calls.stat(path.dirname(file))));
  await release(file);
});

test('one blob that hangs does not hold up the others', async t => {
  const volume = await temporaryFolder(t);
  const store = new StoreLayer(await openDiskStore(volume, silentLogger(), { timeoutMs: 500 }));
  const hanging = blobFile(volume, 'ab'.repeat(20));
  execFileSync('mkfifo', [hanging]);
  const stuck = rejectsWith(store.get('ab'.repeat(20)), 'ServiceUnavailable');
  const key = await store.putSmall(Buffer.from('bytes'));
  await stuck;
  assert.equal(await store.stat(key), 5);
  await store.ping();
  await release(hanging);
  await store.close();
});

for (const closesAtOnce of [false, true]) {
  test(`a file is closed only when no call on it is left, ${closesAtOnce ? 'at once' : 'by a thread'}`, async t => {
    const folder = await temporaryFolder(t);
    const name = path.join(folder, 'file');
    await writeFile(name, Buffer.alloc(1024 * 1024, 'x'));
    const closedAtOnce = t.mock.method(fs, 'closeSync');
    const calls = new FileCalls(10_000, closesAtOnce);
    t.after(() => calls.stop());
    const file = await calls.open(name, constants.O_RDONLY);
    const reading = file.read(Buffer.alloc(1024 * 1024), 1024 * 1024, 0);
    file.close();
    assert.equal(await reading, 1024 * 1024);
    assert.equal(closedAtOnce.mock.callCount(), closesAtOnce ? 1 : 0);
    // Its number may be another file's by now.
    file.close();
    assert.equal(closedAtOnce.mock.callCount(), closesAtOnce ? 1 : 0);
    await assert.rejects(file.read(Buffer.alloc(1), 1, 0), /closed/);
    while ((await openFilesUnder(folder)).length > 0) await sleep(5);
    assert.deepEqual(await readdir(folder), ['file']);
  });
}
