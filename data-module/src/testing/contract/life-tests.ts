import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CatalogueError } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { digestOf, generatedBytes } from '../generated-bytes.js';
import { type LayeredStoreUnderTest, leavesNothing, rejectsWith, type StoreContract } from './harness.js';

const MiB = 1024 * 1024;

type Body = (t: TestContext, under: LayeredStoreUnderTest, contract: StoreContract) => Promise<void>;

/** Deleting, usage, closing and opening again. */
export const LIFE_TESTS: Readonly<Record<string, Body>> = {
  'a deleted blob is gone, the second time too, and leaves nothing': async (t, under) => {
    const { store } = under;
    const { seed } = seededRandom(t);
    await leavesNothing(t, under, async () => {
      for (const size of [0, 1, 3 * MiB + 1]) {
        const key = await store.put(generatedBytes(seed, size), size);
        await store.delete(key);
        await rejectsWith(store.stat(key), 'ObjNotFound');
        await rejectsWith(store.get(key), 'ObjNotFound');
        await rejectsWith(store.delete(key), 'ObjNotFound');
      }
    });
  },

  'of several deletes at once one succeeds': async (_t, { store }) => {
    const key = await store.put(Readable.from(['bytes']), 5);
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => store.delete(key)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of results) {
      if (result.status === 'rejected') assert.equal((result.reason as CatalogueError).type, 'ObjNotFound');
    }
  },

  'deleting one blob leaves the others': async (_t, { store }) => {
    const kept = await store.put(Readable.from(['same']), 4);
    await store.delete(await store.put(Readable.from(['same']), 4));
    assert.equal(await text(await store.get(kept)), 'same');
  },

  'a blob that is deleted while it is read gives all its bytes or an error': async (t, { store }) => {
    const { seed } = seededRandom(t);
    const size = 16 * MiB;
    const key = await store.put(generatedBytes(seed, size), size);
    const reading = digestOf(await store.get(key));
    const [read] = await Promise.allSettled([reading, store.delete(key)]);
    if (read.status === 'fulfilled') assert.deepEqual(read.value, await digestOf(generatedBytes(seed, size)));
    await rejectsWith(store.stat(key), 'ObjNotFound');
  },

  'the key of every blob is listed, with when it was stored, or later': async (t, { store }) => {
    const before = Date.now() - 2000; // some backends count seconds
    const sizes = [0, 5, 6 * MiB];
    const stored = await Promise.all(sizes.map(size => store.put(generatedBytes(1, size), size)));
    const listed = async (): Promise<Set<string>> => {
      const keys = new Set<string>();
      for await (const key of store.keys()) keys.add(key);
      return keys;
    };
    let keys: Set<string>;
    try {
      keys = await listed();
    } catch (err) {
      if (!(err instanceof CatalogueError) || err.type !== 'NotImplemented') throw err;
      t.skip('this store lists no keys');
      return;
    }
    for (const key of stored) {
      assert.ok(keys.has(key), `${key} is listed`);
      const storedAt = await store.storedAt(key);
      assert.ok(storedAt >= before, `${storedAt} is after ${before}`);
    }
    const [gone = '', ...rest] = stored;
    await store.delete(gone);
    await rejectsWith(store.storedAt(gone), 'ObjNotFound');
    keys = await listed();
    assert.ok(!keys.has(gone) && rest.every(key => keys.has(key)));
  },

  'the usage is in bytes': async (_t, { store }) => {
    const { available, free, total } = await store.diskUsage();
    for (const bytes of [available, free, total])
      assert.ok(Number.isSafeInteger(bytes) && bytes >= 0, `${bytes}`);
    assert.ok(available <= total && free <= total);
  },

  'a store that is open says so': async (_t, { store }) => {
    await store.ping();
  },

  'close may be called again, and ends every call': async (_t, { store }) => {
    const key = await store.put(Readable.from(['bytes']), 5);
    await Promise.all([store.close(), store.close()]);
    await store.close();
    await rejectsWith(store.put(Readable.from(['bytes']), 5), 'ServiceUnavailable');
    await rejectsWith(store.stat(key), 'ServiceUnavailable');
    await rejectsWith(store.get(key), 'ServiceUnavailable');
    await rejectsWith(store.delete(key), 'ServiceUnavailable');
    await rejectsWith(store.diskUsage(), 'ServiceUnavailable');
    await rejectsWith(store.ping(), 'ServiceUnavailable');
  },

  'a blob is still there when the store is opened again': async (t, { store, reopen }) => {
    if (reopen === undefined) {
      t.skip('this store names no reopen()');
      return;
    }
    const { seed } = seededRandom(t);
    const key = await store.put(generatedBytes(seed, 3 * MiB), 3 * MiB);
    const again = await reopen();
    try {
      assert.deepEqual(await digestOf(await again.get(key)), await digestOf(generatedBytes(seed, 3 * MiB)));
    } finally {
      await again.close();
    }
  },
};
