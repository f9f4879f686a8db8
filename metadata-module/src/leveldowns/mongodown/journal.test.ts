/**
 * The journal's end: numbers that were sent and not acknowledged, batches of several documents, and late
 * changes of mind.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { MAX_ENTRY_BYTES } from './journal-entry.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';
import { batchOf, checkState, writeBatches } from './testing/numbered-batches.js';
import { arm, isJournalWrite, on, startWireProxy } from './testing/wire-proxy.js';

const skip = mongodbMissing;
const LEASE_MS = 250;
test(
  'batches that wait for one that got lost fail with it when another process takes over',
  { skip },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    let release: (value?: unknown) => void = () => undefined;
    const hold = new Promise(resolve => (release = resolve));
    const former = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: 2500 });
    await openLevel(former);
    for (const number of [1, 2]) await writeBatch(former, batchOf(number));
    arm(proxy, {
      at: isJournalWrite,
      verdict: { hold },
      afterwards: cmd => (isJournalWrite(cmd) ? 'pass' : 'cut-before'),
    });
    const outcomes: Promise<unknown>[] = [];
    for (let number = 3; number <= 10; number += 1) {
      outcomes.push(writeBatch(former, batchOf(number)).catch((err: unknown) => err));
      await sleep(5);
    }
    // The next is not sent before it is certain what became of the one before.
    assert.equal(proxy.commands.filter(isJournalWrite).length, 3);

    const next = newStore(place, { inUse: 'wait', leaseMs: 60_000 });
    await openLevel(next);
    assert.equal(checkState(await contents(next), 2), 2);
    await writeBatches(next, { from: 2, last: 30, atOnce: 1 }, () => undefined);
    release();
    const failures = await Promise.all(outcomes);
    assert.ok(failures.every(failure => failure instanceof Error));
    await closeLevel(former);
    await closeLevel(next);
    assert.equal(checkState(await withStore(newStore(place), contents), 30), 30);
  },
);

test(
  'a batch that was given up too late for its owner is there for its successors, or for none',
  { skip },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, place.url);
    let release: (value?: unknown) => void = () => undefined;
    const hold = new Promise(resolve => (release = resolve));
    const former = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: 1000 });
    await openLevel(former);
    await writeBatch(former, batchOf(1));
    // The server has the batch, its owner does not know, and gives it up; that arrives late.
    arm(proxy, {
      at: isJournalWrite,
      verdict: 'cut-after',
      afterwards: command => {
        return on('update', '.journal')(command) ? { hold } : 'cut-before';
      },
    });
    await assert.rejects(writeBatch(former, batchOf(2)), { code: LEVEL_ERRORS.unavailable });

    // The next owner shows it, and ends before it could apply it.
    const second = await startWireProxy(t, place.url);
    const isBulk = on('update', 'metadata');
    arm(second, {
      at: isBulk,
      skip: 2,
      verdict: 'cut-before',
      afterwards: command => (isBulk(command) ? 'cut-before' : 'pass'),
    });
    const next = newStore({ ...place, url: second.url }, { inUse: 'wait', timeoutMs: 1500 });
    await openLevel(next);
    const count = checkState(await contents(next), 1);
    release();
    await sleep(50);
    assert.equal(checkState(await contents(next), 1), count);
    await closeLevel(next);
    assert.equal(checkState(await withStore(newStore(place, { inUse: 'wait' }), contents), 1), count);
    await closeLevel(former);
  },
);

test('a batch of several documents is there whole, also after a reopen', { skip }, async t => {
  const place = await newPlace(t);
  const values = Array.from({ length: 4 }, (_, index) => Buffer.alloc(6_000_000, `value ${index} `));
  const check = async (store: ReturnType<typeof newStore>): Promise<void> => {
    for (const [index, value] of values.entries()) {
      assert.ok((await getValue(store, `large${index}`))?.equals(value));
    }
  };
  const store = newStore(place, { timeoutMs: 20_000 });
  await withStore(store, async () => {
    await writeBatch(
      store,
      values.map((value, index) => ({ type: 'put', key: `large${index}`, value })),
    );
    await check(store);
  });
  await withStore(newStore(place, { timeoutMs: 20_000 }), check);
});

test('of a batch whose last document never came, nothing is there', { skip }, async t => {
  const place = await newPlace(t);
  const proxy = await startWireProxy(t, place.url);
  const former = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: 3000 });
  await openLevel(former);
  await writeBatch(former, batchOf(1));
  const hit = arm(proxy, { at: isJournalWrite, verdict: 'cut-before', skip: 1, afterwards: 'cut-before' });
  const large = { type: 'put', key: 'large', value: Buffer.alloc(10_000_000) } as const;
  await assert.rejects(writeBatch(former, [...batchOf(2), large]), { code: LEVEL_ERRORS.unavailable });
  assert.ok(hit());
  const next = newStore(place, { inUse: 'wait' });
  await withStore(next, async () => {
    assert.equal(checkState(await contents(next), 1), 1);
    await writeBatch(next, batchOf(2));
  });
  await closeLevel(former);
  assert.equal(checkState(await withStore(newStore(place), contents), 2), 2);
});

test(
  'the largest value is kept; a larger one is refused by name, with all of its batch',
  { skip },
  async t => {
    const place = await newPlace(t);
    const store = newStore(place, { timeoutMs: 20_000 });
    const largest = Buffer.alloc(MAX_ENTRY_BYTES - 1, 'largest ');
    await withStore(store, async () => {
      await writeBatch(store, [{ type: 'put', key: 'k', value: largest }]);
      const tooLarge = writeBatch(store, [
        { type: 'put', key: 'small', value: 'v' },
        { type: 'put', key: 'large', value: Buffer.alloc(MAX_ENTRY_BYTES) },
      ]);
      await assert.rejects(tooLarge, {
        code: LEVEL_ERRORS.tooLarge,
        message: /key "large" and its value take \d+ bytes/,
      });
      assert.equal(await getValue(store, 'small'), undefined);
    });
    // From the collection, where the overlay does not help.
    await withStore(newStore(place, { timeoutMs: 20_000 }), async reopened => {
      assert.ok((await getValue(reopened, 'k'))?.equals(largest));
    });
  },
);
