/** The layout is CloudServer's, so it is held to folders that were worked out apart from this code. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startTestModule } from '../../testing/start-module.js';
import { HttpStore } from '../../testing/http-store.js';
import { blobFile } from './disk-layout.js';
import { openDiskStore } from './disk-store.js';

/** Folder of each key by the rule of protocol.md, section 4. */
const FOLDER_OF: Readonly<Record<string, string>> = {
  '0123456789abcdef0123456789abcdef01234567': '711',
  ffffffffffffffffffffffffffffffffffffffff: '1230',
  da39a3ee5e6b4b0d3255bfef95601890afd80709: '1852',
  '0': '2007',
};

test('a key lies in the folder that its hash names', () => {
  for (const [key, folder] of Object.entries(FOLDER_OF)) {
    assert.equal(blobFile('/volume', key), path.join('/volume', folder, key));
  }
});

test("a volume that CloudServer's daemon has written opens in place, by DATA_PATH", async t => {
  const volume = await temporaryFolder(t);
  // That daemon makes all folders when it starts.
  for (let folder = 0; folder < 3511; folder += 1) await mkdir(path.join(volume, String(folder)));
  for (const [key, folder] of Object.entries(FOLDER_OF)) {
    await writeFile(path.join(volume, folder, key), `bytes of ${key}`);
  }
  const store = new HttpStore((await startTestModule(t, { DATA_PATH: volume })).port);
  t.after(() => store.close());
  for (const key of Object.keys(FOLDER_OF)) {
    assert.equal((await buffer(await store.get(key))).toString(), `bytes of ${key}`);
    assert.equal((await buffer(await store.get(key, { start: 9, end: 9 }))).toString(), key[0]);
  }
  const [first = ''] = Object.keys(FOLDER_OF);
  await store.delete(first);
  assert.deepEqual(await readdir(path.join(volume, FOLDER_OF[first] ?? '')), []);
});

test('a blob of ours lies where that daemon looks for it, and nothing else lies in a folder of blobs', async t => {
  const volume = await temporaryFolder(t);
  const store = await openDiskStore(volume, silentLogger());
  const key = await store.put(Readable.from([Buffer.from('whole')]), 5);
  assert.equal(await readFile(blobFile(volume, key), 'utf8'), 'whole');
  const names = await readdir(volume);
  assert.deepEqual(
    names.filter(name => !/^\d+$/.test(name)),
    ['.checksums', '.data-module-volume', '.journal', '.uploads'],
  );
  await store.close();
});
