/** A checksum that cannot be written fails its upload, and leaves nothing of it. A full disk has a test of its own. */
import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { blobsUnder } from '../../../testing/blob-files.js';
import { rejectsWith } from '../../../testing/contract/harness.js';
import { scrubbed } from '../../../testing/scrubbed.js';
import { openDiskStore } from '../disk-store.js';

test('an upload whose checksum cannot be written fails, leaves nothing, and works again later', async t => {
  const volume = await temporaryFolder(t);
  const folder = path.join(volume, '.checksums');
  const options = { folders: 'as needed', hasJournal: false } as const;
  const store = await openDiskStore(volume, silentLogger(), options);
  t.after(() => store.close());
  await writeFile(folder, 'a file in its place');
  await rejectsWith(store.putSmall(Buffer.from('small')), 'InternalError');
  await rejectsWith(store.put(Readable.from([Buffer.from('large')]), 5), 'InternalError');
  assert.deepEqual(
    (await blobsUnder(volume)).filter(name => name !== '.checksums'),
    [],
  );
  await rm(folder);
  await store.putSmall(Buffer.from('small'));
  assert.deepEqual(await scrubbed(store), { sound: 1 });
});

test('a volume that is only read gets no folder of checksums', async t => {
  const volume = await temporaryFolder(t);
  const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed' });
  t.after(() => store.close());
  assert.deepEqual(await scrubbed(store), {});
  await store.cleanChecksums();
  assert.ok(!(await readdir(volume)).includes('.checksums'));
  await store.putSmall(Buffer.from('small'));
  assert.deepEqual(await scrubbed(store), { sound: 1 });
});

test('what waits for the log when the store is closed is written; what comes later is refused', async t => {
  const volume = await temporaryFolder(t);
  const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed' });
  await store.putSmall(Buffer.from('first'));
  const puts = Array.from({ length: 8 }, (_, index) => store.putSmall(Buffer.from(`${index}`)));
  const closing = store.close();
  const results = await Promise.allSettled(puts);
  await closing;
  const again = await openDiskStore(volume, silentLogger(), { folders: 'as needed' });
  t.after(() => again.close());
  const stored = results.filter(({ status }) => status === 'fulfilled').length;
  assert.deepEqual(await scrubbed(again), { sound: stored + 1 });
  assert.deepEqual(await readdir(path.join(volume, '.uploads')), []);
});
