/** Blobs of the disk store are compared with what came in. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { flipBit } from '../../../testing/flip-bit.js';
import { generatedBytes } from '../../../testing/generated-bytes.js';
import { scrubbed } from '../../../testing/scrubbed.js';
import { openPackedStore } from '../../packed/packed-store.js';
import { packedOptions } from '../../packed/testing/packed-options.js';
import { blobFile } from '../disk-layout.js';
import { type DiskStore, type DiskStoreOptions, openDiskStore } from '../disk-store.js';

const LARGE = 3_000_000;

async function opened(t: TestContext, volume: string, options: DiskStoreOptions = {}): Promise<DiskStore> {
  const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed', ...options });
  t.after(() => store.close());
  return store;
}

const small = (index: number): Buffer => Buffer.from(`blob ${index}`);
const putSmall = (store: DiskStore, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => store.putSmall(small(index))));

test('a bit that turned in a small blob, in a large one, and a lost end are found, also after a restart', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const [one = '', cut = ''] = await putSmall(store, 10);
  const large = await store.put(generatedBytes(1, LARGE), LARGE);
  await store.putSmall(Buffer.alloc(0));
  assert.deepEqual(await scrubbed(store), { sound: 12 });
  await flipBit(blobFile(volume, one), 2);
  await flipBit(blobFile(volume, large), LARGE - 1);
  await truncate(blobFile(volume, cut), 1);
  assert.deepEqual(await scrubbed(store), { sound: 9, damaged: 3 });
  await store.close();
  const again = await opened(t, volume);
  assert.deepEqual(await scrubbed(again), { sound: 9, damaged: 3 });
  await flipBit(blobFile(volume, one), 2);
  assert.deepEqual(await scrubbed(again), { sound: 10, damaged: 2 });
});

test('the checksum is of the bytes that came in, not of those that were written', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume, { hasJournal: false });
  const bytes = Buffer.from('as it came in');
  const storing = store.putSmall(bytes);
  // As memory that fails: before the system copies them.
  bytes.write('X');
  const key = await storing;
  assert.equal(await readFile(blobFile(volume, key), 'utf8'), 'Xs it came in');
  assert.deepEqual(await scrubbed(store), { damaged: 1 });
});

test("a blob of CloudServer's daemon is read, and counted as one that could not be compared", async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const [ours = ''] = await putSmall(store, 1);
  const foreign = 'a'.repeat(40);
  await mkdir(path.dirname(blobFile(volume, foreign)), { recursive: true });
  await writeFile(blobFile(volume, foreign), 'foreign');
  assert.deepEqual(await scrubbed(store), { sound: 1, unchecked: 1 });
  await flipBit(blobFile(volume, foreign), 1);
  await flipBit(blobFile(volume, ours), 1);
  assert.deepEqual(await scrubbed(store), { damaged: 1, unchecked: 1 });
});

test('a blob that was replaced is compared with what came last, and with what was there when that was cut off', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const key = 'b'.repeat(40);
  await store.putAs(key, Readable.from([Buffer.from('first')]), 5);
  const first = await readFile(blobFile(volume, key));
  await store.putAs(key, Readable.from([Buffer.from('second')]), 6);
  assert.deepEqual(await scrubbed(store), { sound: 1 });
  // The entry was written, the blob was not put in its place.
  await writeFile(blobFile(volume, key), first);
  assert.deepEqual(await scrubbed(store), { sound: 1 });
  await writeFile(blobFile(volume, key), 'third');
  assert.deepEqual(await scrubbed(store), { damaged: 1 });
});

test('blobs that come while a scrub is under way are compared, not counted as foreign', async t => {
  const volume = await temporaryFolder(t);
  const [store, other] = [
    await opened(t, volume, { worker: { index: 0, count: 2 } }),
    await opened(t, volume, { worker: { index: 1, count: 2 } }),
  ];
  await putSmall(store, 20);
  let unchecked = 0;
  let seen = 0;
  for await (const { checksums } of store.checkedKeys()) {
    seen += 1;
    if (checksums?.length === 0) unchecked += 1;
    if (seen <= 20) await other.putSmall(small(seen));
  }
  assert.ok(seen > 20, `${seen} were seen: some came later`);
  assert.equal(unchecked, 0);
});

test('all is found in as little memory as it is given, whatever worker has written it', async t => {
  const volume = await temporaryFolder(t);
  for (const index of [0, 1, 2]) {
    const store = await opened(t, volume, { worker: { index, count: 3 } });
    await putSmall(store, 40);
    await store.close();
  }
  const store = await opened(t, volume, { checksums: { rangeEntries: 10 } });
  const [damaged = ''] = await putSmall(store, 1);
  await flipBit(blobFile(volume, damaged), 3);
  assert.deepEqual(await scrubbed(store), { sound: 120, damaged: 1 });
});

test('the packed store has its large blobs compared, too', async t => {
  const folder = await temporaryFolder(t);
  const store = await openPackedStore(folder, packedOptions(), silentLogger());
  t.after(() => store.close());
  await store.putSmall(small(1));
  const large = await store.put(generatedBytes(2, LARGE), LARGE);
  assert.deepEqual(await scrubbed(store), { sound: 2 });
  await flipBit(blobFile(path.join(folder, 'files'), large), 1_000_000);
  assert.deepEqual(await scrubbed(store), { sound: 1, damaged: 1 });
});

test('a torn end is passed over, damaged entries leave their blobs unchecked, and hostile files change nothing', async t => {
  const volume = await temporaryFolder(t);
  const folder = path.join(volume, '.checksums');
  const store = await opened(t, volume);
  const keys = await putSmall(store, 4);
  await store.close();
  const [log = ''] = await readdir(folder);
  const lines = (await readFile(path.join(folder, log), 'utf8')).split('\n');
  const lineOf = (key = ''): string => lines.find(line => line.includes(key)) ?? '';
  const [whole, torn, changed, nul] = keys.map(lineOf);
  await writeFile(
    path.join(folder, log),
    `${whole}\n${changed?.replace(' 6 ', ' 7 ')}\n${torn?.slice(0, -1)}`,
  );
  await writeFile(path.join(folder, '0.1'), Buffer.alloc(300_000, 'x'));
  await appendFile(path.join(folder, '0.1'), `\n${nul}\n\0\0\0\0\n\n\n{}\n`);
  await writeFile(path.join(folder, '0.2'), '');
  await mkdir(path.join(folder, '0.3'));
  await writeFile(path.join(folder, '0.x'), `${torn}\n`);
  await writeFile(path.join(folder, '999999999.1'), `${torn}\n`);
  const again = await opened(t, volume);
  assert.deepEqual(await scrubbed(again), { sound: 2, unchecked: 2 });
  await putSmall(again, 3);
  assert.deepEqual(await scrubbed(again), { sound: 5, unchecked: 2 });
});

test('when the folder of the logs has gone, what is put from then on has its checksum', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume, { hasJournal: false });
  await putSmall(store, 2);
  await rename(path.join(volume, '.checksums'), path.join(volume, '.away'));
  await rm(path.join(volume, '.uploads'), { recursive: true });
  await putSmall(store, 1);
  await putSmall(store, 1);
  assert.deepEqual(await scrubbed(store), { sound: 2, unchecked: 2 });
});
