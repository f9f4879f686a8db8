import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { MonotonicClock } from '../store/monotonic-clock.js';
import { MEMDOWN } from '../testing/level-place.js';
import { BUCKET, openStore, PLAIN, VERSIONED } from '../testing/open-store.js';
import { propertyOptions } from '../testing/seed.js';
import { INFINITE_VERSION_ID, VersionIds } from './version-id.js';

test('an id is time, position and counter, all counted down but the last', () => {
  const ids = new VersionIds(new MonotonicClock(0, () => 1_700_000_000_000));
  assert.equal(ids.next(), '98299999999999999999RG001  0');
  assert.equal(ids.next(), '98299999999999999998RG001  1');
  assert.equal(INFINITE_VERSION_ID, '99999999999999999999RG001  ');
});

test('ids sort before all earlier ones, and before the infinite one, however the clock jumps', t => {
  const jumps = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { minLength: 1, maxLength: 50 });
  const property = fc.property(jumps, steps => {
    let time = 1_700_000_000_000;
    const ids = new VersionIds(new MonotonicClock(0, () => time));
    let before = INFINITE_VERSION_ID;
    for (const step of steps) {
      time += step;
      for (const id of [ids.next(), ids.next()]) {
        assert.ok(id < before, `${id} after ${before}`);
        before = id;
      }
    }
  });
  fc.assert(property, propertyOptions(t, 500));
});

test('more ids than fit into one millisecond go on in the next', () => {
  const clock = new MonotonicClock(0, () => 1_700_000_000_000);
  const ids = new VersionIds(clock);
  let before = INFINITE_VERSION_ID;
  for (let n = 0; n < 1_000_010; n += 1) {
    const id = ids.next();
    if (id >= before) assert.fail(`${id} after ${before}`);
    before = id;
  }
  assert.equal(before.slice(0, 20), '98299999999998999990');
});

test('ids go on after a restart whose clock is set back by a year, also after puts that took none', async t => {
  const place = await MEMDOWN.place(t);
  let time = Date.now();
  let before = INFINITE_VERSION_ID;
  for (let start = 0; start < 4; start += 1) {
    const store = await openStore(t, { level: await place.level(), systemTime: () => time });
    const id = (await store.databases.put(BUCKET, 'k', '{}', VERSIONED)) ?? '';
    assert.ok(id < before, `${id} after ${before}`);
    before = id;
    await store.databases.put(BUCKET, 'other', '{}', PLAIN);
    await store.close();
    time -= 365 * 86_400_000;
  }
});

test('ids go on over restarts while the clock stands still', async t => {
  const place = await MEMDOWN.place(t);
  const systemTime = () => 1_700_000_000_000;
  const ids = new Set<string | undefined>();
  for (let start = 0; start < 20; start += 1) {
    const store = await openStore(t, { level: await place.level(), systemTime });
    for (let n = 0; n < 5; n += 1) ids.add(await store.databases.put(BUCKET, 'k', '{}', VERSIONED));
    await store.close();
  }
  const inOrder = [...ids];
  assert.equal(inOrder.length, 100);
  assert.deepEqual([...inOrder].sort().reverse(), inOrder);
});
