/**
 * A writer loses the store with a command under way, which arrives long after the next owner has written: the
 * next owner's data stays as it is.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { contents, newPlace, newStore, withLayout, withStore } from './testing/databases.js';
import { batchOf, checkState, writeBatches } from './testing/numbered-batches.js';
import { arm, isJournalWrite, on, startWireProxy, type Strike } from './testing/wire-proxy.js';

const skip = mongodbMissing;
const LEASE_MS = 250;

type Late = Omit<Strike, 'verdict' | 'afterwards'>;

/** Commands of opening the store for the first time: updates of the data and of the state. */
const [MAKING, NOTING] = [4, 1];

/** Commands that arrive late, each the n-th of its kind. */
const LATE: Readonly<Record<string, Late>> = {
  'the making of the slots': { at: on('update', '.journal') },
  'the epoch in the slots': { at: on('update', '.journal'), skip: 1 },
  'a write to the journal, the first': { at: isJournalWrite },
  'a write to the journal, a later one': { at: isJournalWrite, skip: 9 },
  'puts in the data, the first': { at: on('update', 'metadata'), skip: MAKING },
  'puts in the data, later ones': { at: on('update', 'metadata'), skip: MAKING + 9 },
  'deletes in the data': { at: on('delete', 'metadata'), skip: 3 },
  'a sign of life': { at: on('update', '.state'), skip: NOTING + 1 },
  'the making of the first marker': { at: on('update', 'metadata') },
  'the making of the second marker': { at: on('update', 'metadata'), skip: 2 },
  'the epoch in the second marker': { at: on('update', 'metadata'), skip: 3 },
  'the note that the data is made': { at: on('update', '.state') },
};

for (const [what, late] of Object.entries(LATE)) {
  test(`a former owner's command arrives late: ${what}`, { skip }, async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    let release: (value?: unknown) => void = () => undefined;
    const hold = new Promise(resolve => (release = resolve));
    // Whatever else the former owner does while it is frozen does not arrive.
    const hit = arm(proxy, { ...late, verdict: { hold }, afterwards: 'cut-before' });

    const former = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: 2500 });
    let acknowledged = 0;
    const opened = openLevel(former).then(
      () => true,
      () => false,
    );
    const writing = opened.then(async isOpen => {
      if (isOpen)
        await writeBatches(former, { from: 0 }, number => {
          acknowledged = number;
        });
    });
    const deadline = Date.now() + 20_000;
    while (!hit()) {
      assert.ok(Date.now() < deadline, 'the proxy struck');
      await sleep(5);
    }

    const next = newStore(place, { leaseMs: 60_000, inUse: 'wait' });
    await openLevel(next);
    const count = checkState(await contents(next), acknowledged);
    await writeBatches(next, { from: count, last: count + 30 }, () => undefined);
    checkState(await contents(next), count + 30);

    release();
    await sleep(50);
    checkState(await contents(next), count + 30);
    await writing;
    // The former owner comes to itself: it can neither write, nor take "not there" for an answer.
    proxy.judge = () => 'pass';
    if (await opened) {
      await assert.rejects(writeBatch(former, batchOf(count + 1)), { code: LEVEL_ERRORS.fenced });
      await assert.rejects(getValue(former, 'count'), { code: LEVEL_ERRORS.fenced });
      await assert.rejects(former.ping(), { code: LEVEL_ERRORS.fenced });
    }
    await closeLevel(former);

    await writeBatches(next, { from: count + 30, last: count + 40 }, () => undefined);
    assert.equal(checkState(await contents(next), count + 40), count + 40);
    await closeLevel(next);
    assert.equal(checkState(await withStore(newStore(place), contents), count + 40), count + 40);
  });
}

test('a former owner that still believes in its lease gives no answer from the data', { skip }, async t => {
  const place = await newPlace(t);
  let finds = 0;
  const former = newStore(place, {
    leaseMs: 60_000,
    onClient: client =>
      client.on('commandStarted', ({ commandName }) => (finds += Number(commandName === 'find'))),
  });
  await openLevel(former);
  await writeBatches(former, { from: 0, last: 1 }, () => undefined);
  // Until it asks the server for what it wrote: then it knows that it is applied.
  finds = 0;
  while (finds === 0) await getValue(former, 'count').then(() => sleep(20));
  await withLayout(place, ({ state }) => state.updateMany({}, { $set: { released: true } }));
  await withStore(newStore(place), async next => {
    await writeBatches(next, { from: 1, last: 30 }, () => undefined);
    await assert.rejects(getValue(former, 'count'), { code: LEVEL_ERRORS.fenced });
    await assert.rejects(contents(former), { code: LEVEL_ERRORS.fenced });
  });
  await closeLevel(former);
});
