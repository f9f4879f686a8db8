import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { generatedBuffer, generatedBytes } from '../../testing/generated-bytes.js';
import { writeStream } from './file-writer.js';

const MiB = 1024 * 1024;

test('what the system does not take at once is written by the next calls', async t => {
  const name = path.join(await temporaryFolder(t), 'file');
  const file = await open(name, 'wx');
  const stingy = {
    datasync: () => file.datasync(),
    write: async ([first]: readonly Buffer[]) =>
      (await file.write(first?.subarray(0, 1000) ?? Buffer.alloc(0))).bytesWritten,
  };
  await writeStream(generatedBytes(1, 300_000), stingy);
  await file.close();
  assert.ok((await readFile(name)).equals(await generatedBuffer(1, 300_000)));
});

test('a long upload is brought to the disk as it goes, every byte of it', async t => {
  const name = path.join(await temporaryFolder(t), 'file');
  const file = await open(name, 'wx');
  let syncs = 0;
  const watched = {
    write: async (buffers: readonly Buffer[]) => (await file.writev(buffers)).bytesWritten,
    datasync: async () => {
      syncs += 1;
      await file.datasync();
    },
  };
  await writeStream(generatedBytes(2, 200 * 1024 * 1024), watched);
  await file.close();
  assert.ok(syncs >= 2, `${syncs} syncs`);
  assert.ok((await readFile(name)).equals(await generatedBuffer(2, 200 * 1024 * 1024)));
});

test('writing goes on while the disk syncs, and waits before it is two syncs ahead', async t => {
  const file = await open(path.join(await temporaryFolder(t), 'file'), 'wx');
  const finish: (() => void)[] = [];
  let written = 0;
  const slow = {
    write: async (buffers: readonly Buffer[]) => {
      const { bytesWritten } = await file.writev(buffers);
      written += bytesWritten;
      return bytesWritten;
    },
    datasync: () => new Promise<void>(resolve => finish.push(resolve)),
  };
  const writing = writeStream(generatedBytes(3, 300 * MiB), slow);
  while (written < 120 * MiB) await sleep(5);
  assert.equal(finish.length, 1, 'more than 64 MiB were written behind a sync that has not ended');
  await sleep(200);
  assert.ok(written < 140 * MiB, `${written} bytes`);
  const finishing = setInterval(() => finish.splice(0).forEach(resolve => resolve()), 5);
  await writing;
  clearInterval(finishing);
  assert.equal(written, 300 * MiB);
  await file.close();
});

test('a sync that fails fails the upload, also the last one', async t => {
  for (const size of [70 * MiB, 200 * MiB]) {
    const file = await open(path.join(await temporaryFolder(t), 'file'), 'wx');
    const failing = {
      write: async (buffers: readonly Buffer[]) => (await file.writev(buffers)).bytesWritten,
      datasync: () => sleep(1).then(() => Promise.reject(new Error('the disk failed'))),
    };
    await assert.rejects(writeStream(generatedBytes(4, size), failing), /the disk failed/);
    await file.close();
  }
});
