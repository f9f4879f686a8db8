import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { generatedBuffer, generatedBytes } from '../testing/generated-bytes.js';
import { FileWriter } from './file-writer.js';

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
