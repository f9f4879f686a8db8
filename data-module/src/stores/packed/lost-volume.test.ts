/** A volume that has gone from under the store for a while, and one that another process has taken over. */
import assert from 'node:assert/strict';
import { mkdir, rename, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { rejectsWith } from '../../testing/contract/harness.js';
import { openPackedStore, type PackedStore } from './packed-store.js';
import { packedOptions } from './testing/packed-options.js';

const put = (store: PackedStore): Promise<string> => store.put(Readable.from([Buffer.from('bytes')]), 5);

async function opened(t: TestContext, folder: string): Promise<PackedStore> {
  const store = await openPackedStore(folder, packedOptions(), silentLogger());
  t.after(() => store.close());
  return store;
}

for (const begun of [true, false]) {
  test(`writes fail while the volume is away, leave nothing, and go on when it is back, ${begun ? 'in' : 'before'} a segment`, async t => {
    const folder = path.join(await temporaryFolder(t), 'packed');
    await mkdir(folder);
    const first = await opened(t, folder);
    const keys = [await put(first), await put(first)];
    const [key = '', gone = ''] = keys;
    if (!begun) await first.close();
    const store = begun ? first : await opened(t, folder);
    await rename(folder, `${folder}.away`);
    for (const state of ['missing', 'empty']) {
      if (state === 'empty') await mkdir(folder);
      await rejectsWith(put(store), 'InternalError');
      await rejectsWith(store.delete(key), 'InternalError');
      await rejectsWith(store.ping(), 'InternalError');
    }
    await rmdir(folder);
    await rename(`${folder}.away`, folder);
    await store.ping();
    const later = await put(store);
    await store.delete(gone);
    await store.close();
    const again = await opened(t, folder);
    for (const one of [key, later]) assert.equal(await text(await again.get(one)), 'bytes');
    await rejectsWith(again.stat(gone), 'ObjNotFound');
    assert.equal(again.blobs, 2);
  });
}

test('a folder that is missing is no missing blob', async t => {
  const folder = await temporaryFolder(t);
  const store = await opened(t, folder);
  const segments = path.join(folder, 'segments');
  await rename(segments, `${segments}.away`);
  await rejectsWith(put(store), 'InternalError');
  await rename(`${segments}.away`, segments);
  await put(store);
});

test('a store that another process has taken over refuses writes from then on', async t => {
  const folder = await temporaryFolder(t);
  const first = await opened(t, folder);
  const key = await put(first);
  const second = await opened(t, folder);
  for (let i = 0; i < 2; i += 1) {
    await rejectsWith(put(first), 'ServiceUnavailable');
    await rejectsWith(first.delete(key), 'ServiceUnavailable');
    await rejectsWith(first.ping(), 'ServiceUnavailable');
  }
  assert.equal(await text(await second.get(key)), 'bytes');
  await second.delete(key);
});
