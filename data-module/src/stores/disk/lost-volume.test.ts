/** A volume that has gone from under the module, as an unmount leaves it: no blob of it is said not to be there. */
import assert from 'node:assert/strict';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { DataStore } from '../../data-store.js';
import { rejectsWith } from '../../testing/contract/harness.js';
import { StoreLayer } from '../store-layer.js';
import { diskStore } from './disk-store.js';
import { openStore } from '../open-store.js';

const UNKNOWN_KEY = 'f'.repeat(40);

function open(dataDir: string, env = {}): Promise<DataStore> {
  return openStore(diskStore, { dataDir, env, log: silentLogger() });
}

async function opened(t: TestContext): Promise<{ folder: string; volume: string; store: StoreLayer }> {
  const folder = await temporaryFolder(t);
  return { folder, volume: path.join(folder, 'data'), store: new StoreLayer(await open(folder)) };
}

const putSmall = (store: StoreLayer): Promise<string> => store.put(Readable.from(['bytes']), 5);

test('every call fails with InternalError while the volume is away, and works when it is back', async t => {
  const { volume, store } = await opened(t);
  const key = await putSmall(store);
  await rename(volume, `${volume}.away`);
  for (const state of ['missing', 'empty']) {
    if (state === 'empty') await mkdir(volume);
    for (const asked of [key, UNKNOWN_KEY]) {
      await rejectsWith(store.stat(asked), 'InternalError');
      await rejectsWith(store.get(asked), 'InternalError');
      await rejectsWith(store.delete(asked), 'InternalError');
    }
    await rejectsWith(putSmall(store), 'InternalError');
    await rejectsWith(store.putSmall(Buffer.from('bytes')), 'InternalError');
    await rejectsWith(store.diskUsage(), 'InternalError');
    await rejectsWith(store.ping(), 'InternalError');
  }
  assert.deepEqual(await readdir(volume), [], 'nothing was written in its place');
  await rmdir(volume);
  await rename(`${volume}.away`, volume);
  await store.ping();
  assert.equal(await text(await store.get(key)), 'bytes');
  await rejectsWith(store.stat(UNKNOWN_KEY), 'ObjNotFound');
  await store.close();
});

for (const what of ['nothing', 'another volume'] as const) {
  test(`a listing of a volume that goes away in its midst fails, with ${what} in its place`, async t => {
    const { folder, volume, store } = await opened(t);
    for (let i = 0; i < 20; i += 1) await store.putSmall(Buffer.from('bytes'));
    const listings = [store.keys(), store.checkedKeys()];
    for (const listing of listings) await listing.next();
    await rename(volume, `${volume}.away`);
    if (what === 'another volume') await (await open(folder, { DISK_ALLOW_EMPTY: 'true' })).close();
    for (const listing of listings) {
      const rest = async (): Promise<void> => {
        while ((await listing.next()).done !== true);
      };
      await rejectsWith(rest(), 'InternalError');
    }
    await rm(volume, { recursive: true, force: true });
    await rename(`${volume}.away`, volume);
    let count = 0;
    const whole = store.keys();
    while ((await whole.next()).done !== true) count += 1;
    assert.equal(count, 20);
    await store.close();
  });
}

test('folders that vanish are made again', async t => {
  const { volume, store } = await opened(t);
  for (const name of await readdir(volume))
    if (name !== '.data-module-volume') await rm(path.join(volume, name), { recursive: true });
  for (let i = 0; i < 5; i += 1) {
    const key = await store.putSmall(Buffer.from('bytes'));
    assert.equal(await text(await store.get(key)), 'bytes');
  }
  await store.ping();
  await store.close();
});

test('an empty folder in place of a used volume is refused at the start, unless told so', async t => {
  const { folder, volume, store } = await opened(t);
  await store.close();
  await rm(volume, { recursive: true });
  await assert.rejects(
    open(folder),
    err => err instanceof StartError && /DISK_ALLOW_EMPTY/.test(err.message),
  );
  assert.deepEqual(await readdir(volume), []);
  const again = new StoreLayer(await open(folder, { DISK_ALLOW_EMPTY: 'true' }));
  const key = await putSmall(again);
  await again.close();
  // From then on it is the volume.
  const reopened = new StoreLayer(await open(folder));
  assert.equal(await text(await reopened.get(key)), 'bytes');
  await reopened.close();
});

test('an empty disk of its own is refused by DATA_PATH in the same way', async t => {
  const folder = await temporaryFolder(t);
  const volume = await temporaryFolder(t);
  const first = await open(folder, { DATA_PATH: volume });
  await first.close();
  for (const name of await readdir(volume)) await rm(path.join(volume, name), { recursive: true });
  // A file system that was just made.
  await mkdir(path.join(volume, 'lost+found'));
  await assert.rejects(open(folder, { DATA_PATH: volume }), StartError);
});
