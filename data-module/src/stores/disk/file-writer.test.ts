import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { generatedBuffer, generatedBytes } from '../../testing/generated-bytes.js';
import { FileWriter } from './file-writer.js';

const MiB = 1024 * 1024;

test('what the system does not take at once is written by the next calls', async t => {
  const name = path.join(await temporaryFolder(t), 'file');
  const file = await open(name, 'wx');
  const stingy = {
    datasync: () => file.datasync(),
    writev: async (buffers: NodeJS.ArrayBufferView[]) => {
      const [first] = buffers as Buffer[];
      const { bytesWritten } = await file.write(first?.subarray(0, 1000) ?? Buffer.alloc(0));
      return { bytesWritten, buffers };
    },
  };
  await pipeline(
    generatedBytes(1, 300_000),
    new FileWriter(stingy as Pick<typeof file, 'writev' | 'datasync'>),
  );
  await file.close();
  assert.ok((await readFile(name)).equals(await generatedBuffer(1, 300_000)));
});

test('a long upload is brought to the disk as it goes, every byte of it', async t => {
  const name = path.join(await temporaryFolder(t), 'file');
  const file = await open(name, 'wx');
  let syncs = 0;
  const watched = {
    writev: (buffers: Buffer[]) => file.writev(buffers),
    datasync: async () => {
      syncs += 1;
      await file.datasync();
    },
  };
  await pipeline(
    generatedBytes(2, 200 * 1024 * 1024),
    new FileWriter(watched as Pick<typeof file, 'writev' | 'datasync'>),
  );
  await file.close();
  assert.ok(syncs >= 2, `${syncs} syncs`);
  assert.ok((await readFile(name)).equals(await generatedBuffer(2, 200 * 1024 * 1024)));
});

test('writing goes on while the disk syncs, and waits before it is two syncs ahead', async t => {
  const file = await open(path.join(await temporaryFolder(t), 'file'), 'wx');
  const finish: (() => void)[] = [];
  let written = 0;
  const slow = {
    writev: async (buffers: Buffer[]) => {
      const result = await file.writev(buffers);
      written += result.bytesWritten;
      return result;
    },
    datasync: () => new Promise<void>(resolve => finish.push(resolve)),
  };
  const writing = pipeline(
    generatedBytes(3, 300 * MiB),
    new FileWriter(slow as Pick<typeof file, 'writev' | 'datasync'>),
  );
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
      writev: (buffers: Buffer[]) => file.writev(buffers),
      datasync: () => sleep(1).then(() => Promise.reject(new Error('the disk failed'))),
    };
    const writer = new FileWriter(failing as Pick<typeof file, 'writev' | 'datasync'>);
    await assert.rejects(pipeline(generatedBytes(4, size), writer), /the disk failed/);
    await file.close();
  }
});
