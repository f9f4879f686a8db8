/** What a former owner left to be applied, however much it is. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, openLevel, writeBatch } from '../level-calls.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';
import { on, startWireProxy } from './testing/wire-proxy.js';

const KEYS = Array.from({ length: 550 }, (_, index) => `k${String(index).padStart(3, '0')}`);

test(
  'a long backlog is applied by commands of a bounded size, and one that failed is made again alone',
  { skip: mongodbMissing },
  async t => {
    const place = await newPlace(t);
    const former = await startWireProxy(t, place.url);
    const store = newStore({ ...place, url: former.url }, { leaseMs: 250 });
    await openLevel(store);
    former.judge = command => (on('update', 'metadata')(command) ? 'cut-before' : 'pass');
    await writeBatch(
      store,
      KEYS.map(key => ({ type: 'put', key, value: 'v' })),
    );
    former.judge = () => 'cut-before';

    const proxy = await startWireProxy(t, place.url);
    const sizes: number[] = [];
    proxy.judge = command => {
      if (!on('update', 'metadata')(command)) return 'pass';
      const { length } = command.body.updates as unknown[];
      // The markers alone, when the store is opened.
      if (length < 3) return 'pass';
      sizes.push(length);
      return sizes.length === 1 ? 'cut-after' : 'pass';
    };
    const expected = Object.fromEntries(KEYS.map(key => [key, 'v']));
    const next = newStore({ ...place, url: proxy.url }, { inUse: 'wait', timeoutMs: 60_000 });
    await withStore(next, async () => assert.deepEqual(await contents(next), expected));
    assert.deepEqual(sizes, [501, 501, 52]);
    await closeLevel(store);
    assert.deepEqual(await withStore(newStore(place), contents), expected);
  },
);
