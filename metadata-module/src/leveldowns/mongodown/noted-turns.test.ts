/** An owner dies when it has noted a turn as in doubt, of which the server had carried out all. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, openLevel, writeBatch } from '../level-calls.js';
import { contents, newPlace, newStore, type Place, withStore } from './testing/databases.js';
import { checkState, writeBatches } from './testing/numbered-batches.js';
import { startWireProxy, type WireCommand, type WireProxy } from './testing/wire-proxy.js';

const skip = mongodbMissing;
const DEADLINE_MS = 60_000;

interface Update {
  readonly u: { readonly $set?: { readonly applied?: unknown }; readonly $max?: object };
}
const updatesOf = ({ name, body }: WireCommand): readonly Update[] =>
  name === 'update' ? (body.updates as Update[]) : [];
const isPortion = (command: WireCommand): boolean =>
  command.target === 'metadata' && updatesOf(command).length > 1;
const isLastPortion = (command: WireCommand): boolean =>
  isPortion(command) && updatesOf(command).some(({ u }) => u.$set?.applied !== undefined);
const isNote = (command: WireCommand): boolean =>
  updatesOf(command).some(({ u }) => Object.keys(u.$max ?? {}).some(name => name.startsWith('late.')));

/** Loses the answer to the last portion of a bulk, and lets nothing through once that is noted. Tells when. */
function killWhenNoted(proxy: WireProxy): Promise<void> {
  let step: 'before' | 'lost' | 'dead' = 'before';
  const dead = new Promise<void>(resolve => {
    proxy.judge = command => {
      if (step === 'dead') return 'cut-before';
      if (step === 'before' && isLastPortion(command)) {
        step = 'lost';
        return 'cut-after';
      }
      if (step === 'lost' && isNote(command)) {
        step = 'dead';
        resolve();
      }
      return 'pass';
    };
  });
  return withDeadline(dead, DEADLINE_MS, 'a note');
}

test('the next owner has what its command put', { skip }, async t => {
  const place = await newPlace(t);
  const proxy = await startWireProxy(t, place.url);
  const former = newStore({ ...place, url: proxy.url }, { timeoutMs: 1000 });
  await openLevel(former);
  await writeBatches(former, { from: 0, last: 20 }, () => undefined);
  const dead = killWhenNoted(proxy);
  let acknowledged = 20;
  await writeBatches(former, { from: 20, last: 100, atOnce: 1 }, number => {
    acknowledged = number;
  });
  await dead;
  assert.ok(acknowledged > 20);

  let count = acknowledged;
  // What it makes good stays so, and it goes on from there.
  for (let owner = 0; owner < 2; owner += 1) {
    await withStore(newStore(place, { inUse: 'wait' }), async next => {
      count = checkState(await contents(next), count);
      assert.equal(await writeBatches(next, { from: count, last: count + 150 }, () => undefined), undefined);
      count += 150;
    });
  }
  checkState(await withStore(newStore(place), contents), count);
  await closeLevel(former);
});

test('so has the one after that, when the next owner dies while it makes that good', { skip }, async t => {
  const place = await newPlace(t);
  const keys = Array.from({ length: 1200 }, (_, index) => `k${String(index).padStart(4, '0')}`);
  const through = async (): Promise<{ proxy: WireProxy; place: Place }> => {
    const proxy = await startWireProxy(t, place.url);
    return { proxy, place: { ...place, url: proxy.url } };
  };
  const [first, second] = [await through(), await through()];
  const former = newStore(first.place, { timeoutMs: 1000 });
  await openLevel(former);
  const dead = killWhenNoted(first.proxy);
  await writeBatch(
    former,
    keys.map(key => ({ type: 'put', key, value: key })),
  );
  await dead;

  // Of several portions the first arrives, and nothing after it.
  let portions = 0;
  second.proxy.judge = command => {
    if (isPortion(command)) portions += 1;
    return portions > 1 ? 'cut-before' : 'pass';
  };
  const next = newStore(second.place, { inUse: 'wait', timeoutMs: 1000 });
  await openLevel(next);
  const until = async (): Promise<void> => {
    while (portions < 2) await sleep(10);
  };
  await withDeadline(until(), DEADLINE_MS, 'a second portion');

  const last = newStore(place, { inUse: 'wait' });
  const expected = Object.fromEntries(keys.map(key => [key, key]));
  assert.deepEqual(await withStore(last, contents), expected);
  assert.deepEqual(await withStore(newStore(place), contents), expected);
  await closeLevel(next);
  await closeLevel(former);
});
