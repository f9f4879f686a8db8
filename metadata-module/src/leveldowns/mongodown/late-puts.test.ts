import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import fc from 'fast-check';
import { propertyOptions } from '../../testing/seed.js';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { MARKERS } from './documents.js';
import { TurnSet } from './late-puts.js';
import { contents, newPlace, newStore, withLayout, withStore } from './testing/databases.js';
import { on, startWireProxy } from './testing/wire-proxy.js';

const skip = mongodbMissing;
const DEADLINE_MS = 60_000;
const KEYS = Array.from({ length: 300 }, (_, index) => `k${String(index).padStart(3, '0')}`);
const puts = KEYS.map(key => ({ type: 'put', key, value: 'v' }) as const);
const deletes = KEYS.map(key => ({ type: 'del', key }) as const);

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = new AbortController();
  const wait = async (): Promise<void> => {
    while (!end.signal.aborted && !(await isSo())) await sleep(10);
  };
  await withDeadline(wait(), DEADLINE_MS, 'what was waited for').finally(() => end.abort());
}

test('turns that were added are found, and no others, and neighbours take no room', t => {
  const property = fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), numbers => {
    const given = [...numbers].sort((a, b) => a - b);
    const turns = new TurnSet();
    const stored: Record<string, number> = {};
    for (const turn of given) {
      const { first, last } = turns.rangeWith(turn);
      stored[String(first)] = last;
      turns.add(turn);
    }
    for (const set of [turns, new TurnSet(stored)]) {
      for (let turn = 0; turn <= 62; turn += 1) assert.equal(set.has(turn), given.includes(turn));
      assert.equal(set.last, given.at(-1) ?? 0);
    }
    assert.equal(Object.keys(stored).length, given.filter(turn => !given.includes(turn - 1)).length);
  });
  fc.assert(property, propertyOptions(t, 500));
});

test(
  'of keys that were deleted nothing is left, whatever became of the answers to their puts',
  { skip },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    const isPuts = on('update', 'metadata');
    await withStore(newStore({ ...place, url: proxy.url }), async store => {
      for (let round = 0; round < 4; round += 1) {
        // The server carries every command out, and the first answers get lost.
        let lost = 0;
        proxy.judge = command => (isPuts(command) && ++lost <= 2 ? 'cut-after' : 'pass');
        await writeBatch(store, puts);
        await until(() => lost >= 3);
        await writeBatch(store, deletes);
        assert.deepEqual(await contents(store), {});
      }
    });
    await withLayout(place, async ({ data, state }) => {
      assert.deepEqual((await data.distinct('_id')).sort(), [...MARKERS].sort());
      // Two turns that follow each other are one range.
      assert.equal(Object.keys((await state.findOne({}))?.late ?? {}).length, 4);
    });
    // An empty page is one round trip, as in a store that never had a key.
    const store = newStore({ ...place, url: proxy.url });
    await withStore(store, async () => {
      proxy.commands.splice(0);
      assert.deepEqual(await contents(store), {});
      const [page, ...others] = proxy.commands.filter(({ name }) => name === 'find' || name === 'getMore');
      assert.deepEqual([page?.target, others.length], ['metadata', 0]);
    });
  },
);

test(
  'a put that arrives after its key was deleted is not seen, and removed by the first read that meets it',
  { skip },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    let release: (value?: unknown) => void = () => undefined;
    const hold = new Promise(resolve => (release = resolve));
    const store = newStore({ ...place, url: proxy.url }, { leaseMs: 60_000, socketTimeoutMs: 1000 });
    await openLevel(store);
    const isPuts = on('update', 'metadata');
    let held = 0;
    proxy.judge = command => (isPuts(command) && ++held === 1 ? { hold } : 'pass');
    await writeBatch(store, puts);
    await until(() => held >= 2);
    await writeBatch(store, deletes);
    const documents = (): Promise<number> => withLayout(place, ({ data }) => data.countDocuments());
    await until(async () => held >= 3 && (await documents()) === MARKERS.length);
    release();
    await until(async () => (await documents()) === MARKERS.length + KEYS.length);

    assert.deepEqual(await contents(store), {});
    assert.equal(await getValue(store, 'k001'), undefined);
    await until(async () => (await documents()) === MARKERS.length);
    await closeLevel(store);
    assert.deepEqual(await withStore(newStore(place), contents), {});
  },
);
