/** One module at a time: refusing, standing by, and stores that are not whole. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { LOWER_MARKER, SLOTS, STATE_ID } from './documents.js';
import { contents, newPlace, newStore, withLayout, withStore } from './testing/databases.js';
import { arm, on, startWireProxy } from './testing/wire-proxy.js';

const skip = mongodbMissing;
const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;

test('a second process is refused, and told who has the store and what to do', { skip }, async t => {
  const place = await newPlace(t);
  await withStore(newStore(place), async first => {
    const expected = {
      code: LEVEL_ERRORS.fenced,
      message: /is in use by process \d+ on \S+: stop it, or set MONGODB_IN_USE=wait/,
    };
    await assert.rejects(openLevel(newStore(place)), expected);
    await writeBatch(first, [put('a', '1')]);
  });
});

test(
  'an owner that died is taken over from, also when its last sign of life arrives after that',
  { skip },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    const dies = newStore({ ...place, url: proxy.url });
    await openLevel(dies);
    await writeBatch(dies, [put('a', '1')]);
    proxy.judge = () => 'cut-before';

    const looks = await startWireProxy(t, place.url);
    const arrive = (): Promise<unknown> =>
      withLayout(place, ({ state }) => state.updateOne({ _id: STATE_ID }, { $inc: { beat: 1 } }));
    let count = 0;
    looks.judge = command => {
      if (!on('find', '.state')(command)) return 'pass';
      count += 1;
      return count === 2 ? { hold: arrive() } : 'pass';
    };
    const next = newStore({ ...place, url: looks.url });
    await openLevel(next);
    assert.deepEqual(await contents(next), { a: '1' });
    await closeLevel(next);
    proxy.judge = () => 'pass';
    await closeLevel(dies);
  },
);

test('an open that fails when it has claimed the store does not hold up the next one', { skip }, async t => {
  const place = await newPlace(t);
  await withStore(newStore(place), store => writeBatch(store, [put('a', '1')]));
  const proxy = await startWireProxy(t, place.url);
  const store = newStore({ ...place, url: proxy.url }, { leaseMs: 600_000, timeoutMs: 1000 });
  arm(proxy, { at: on('update', '.state'), verdict: 'pass', afterwards: 'cut-before' });
  await assert.rejects(openLevel(store), { code: LEVEL_ERRORS.unavailable });
  proxy.judge = () => 'pass';
  await withDeadline(openLevel(store), 60_000, 'opening it again');
  assert.deepEqual(await contents(store), { a: '1' });
  await closeLevel(store);
});

test(
  'a stand-by waits in open, takes over when the owner closes, and may itself be closed while it waits',
  { skip },
  async t => {
    const place = await newPlace(t);
    const first = newStore(place);
    await openLevel(first);
    const [waits, givesUp] = [newStore(place, { inUse: 'wait' }), newStore(place, { inUse: 'wait' })];
    const opened = openLevel(waits);
    const refused = assert.rejects(openLevel(givesUp), { message: /closed/ });
    await writeBatch(first, [put('a', '1')]);
    await closeLevel(givesUp);
    await refused;
    await closeLevel(first);
    await withDeadline(opened, 10_000, 'taking over');
    assert.deepEqual(await contents(waits), { a: '1' });
    await closeLevel(waits);
  },
);

test(
  'an owner that closes leaves nothing to do, and nothing that grows, however often',
  { skip },
  async t => {
    const place = await newPlace(t);
    for (let round = 0; round < 4; round += 1) {
      await withStore(newStore(place), store => writeBatch(store, [put('a', String(round))]));
    }
    await withLayout(place, async ({ journal, data, state }) => {
      assert.equal(await journal.countDocuments(), SLOTS);
      const [marker] = await data.find({ _id: LOWER_MARKER }).toArray();
      assert.equal(await journal.countDocuments({ n: { $gt: marker?.applied ?? 0 } }), 0);
      assert.equal(await data.countDocuments(), 3);
      assert.equal(await state.countDocuments(), 1);
    });
  },
);

test(
  'a store whose owner could not say goodbye is opened again by the same object at once',
  { skip },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    const store = newStore({ ...place, url: proxy.url }, { leaseMs: 60_000, timeoutMs: 500 });
    await openLevel(store);
    await writeBatch(store, [put('a', '1')]);
    proxy.judge = () => 'cut-before';
    await closeLevel(store);
    proxy.judge = () => 'pass';
    await withDeadline(openLevel(store), 10_000, 'opening again');
    assert.equal((await getValue(store, 'a'))?.toString(), '1');
    await closeLevel(store);
  },
);

test('a store that is not whole is not opened, and not taken for an empty one', { skip }, async t => {
  const code = LEVEL_ERRORS.corrupt;
  const cases = {
    'the state is missing': { damage: 'state', message: /document "state" of .* is missing/ },
    'the data is missing': { damage: 'data', message: /has no markers: the data of this store is missing/ },
  } as const;
  for (const [name, { damage, message }] of Object.entries(cases)) {
    await t.test(name, async t => {
      const place = await newPlace(t);
      await withStore(newStore(place), store => writeBatch(store, [put('a', '1')]));
      await withLayout(place, layout => layout[damage].drop());
      await assert.rejects(openLevel(newStore(place)), { code, message });
    });
  }
  await t.test('the data is of another store', async t => {
    const place = await newPlace(t);
    await withStore(newStore(place), store => writeBatch(store, [put('a', '1')]));
    await withLayout(place, layout => layout.state.updateMany({}, { $set: { store: 'another' } }));
    await assert.rejects(openLevel(newStore(place)), { code, message: /is of another store/ });
  });
  await t.test('it is of a newer version', async t => {
    const place = await newPlace(t);
    await withStore(newStore(place), store => writeBatch(store, [put('a', '1')]));
    await withLayout(place, layout => layout.state.updateMany({}, { $set: { format: 3 } }));
    await assert.rejects(openLevel(newStore(place)), {
      code,
      message: /has format 3: this version reads and writes 2/,
    });
  });
  await t.test('the journal has a gap', async t => {
    const place = await newPlace(t);
    await withStore(newStore(place), store => writeBatch(store, [put('a', '1')]));
    await withLayout(place, layout => layout.journal.updateOne({ _id: 100 }, { $set: { n: 100 } }));
    await assert.rejects(openLevel(newStore(place)), {
      code,
      message: /has no number 2, and yet it has number 100/,
    });
  });
  await t.test('the data vanishes under an open store', async t => {
    const place = await newPlace(t);
    const store = newStore(place);
    await openLevel(store);
    await withLayout(place, layout => layout.data.drop());
    await assert.rejects(getValue(store, 'a'), { code, message: /has lost its markers/ });
    await assert.rejects(writeBatch(store, [put('a', '1')]), { code });
    await closeLevel(store);
  });
});

test('a sign of life whose answer comes when the lease is over proves nothing', { skip }, async t => {
  const place = await newPlace(t);
  const proxy = await startWireProxy(t, place.url);
  const store = newStore({ ...place, url: proxy.url }, { leaseMs: 400, timeoutMs: 1500 });
  await openLevel(store);
  await writeBatch(store, [put('a', '1')]);
  proxy.judge = ({ name, target }) =>
    name === 'update' && target.includes('state') ? { holdAnswer: sleep(600) } : 'pass';
  await sleep(1200); // The answers to what was sent before are here.
  await assert.rejects(getValue(store, 'a'), { code: LEVEL_ERRORS.unavailable });
  proxy.judge = () => 'pass';
  await sleep(600);
  assert.equal((await getValue(store, 'a'))?.toString(), '1');
  await closeLevel(store);
});
