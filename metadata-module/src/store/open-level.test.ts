/** Readers that leave while the next entry is on its way to them. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { withDeadline } from '@zenko-modules/common/deadline';
import { faultyLevel } from '../testing/faulty-level.js';
import { type TextEntry, OpenLevel } from './open-level.js';

const DEADLINE_MS = 10_000;

type Next = (callback: (err?: Error | null, key?: string, value?: string) => void) => void;

interface Leaving {
  readonly store: OpenLevel;
  readonly entries: AsyncIterableIterator<TextEntry>;
  /** What the reader was about to be given. */
  readonly step: Promise<IteratorResult<TextEntry>>;
  readonly left: Promise<unknown>;
}

/** A reader that leaves when its iterator has begun a step, which ends in the way of `next`. */
async function leaveDuring(t: TestContext, next: Next): Promise<Leaving> {
  const { level } = await faultyLevel();
  const iterator = level.iterator.bind(level);
  const begun = new Promise<void>(resolve => {
    const held: Next = callback => {
      resolve();
      setImmediate(() => next(callback));
    };
    Object.assign(level, { iterator: (range: object) => Object.assign(iterator(range), { next: held }) });
  });
  const store = await OpenLevel.open(level);
  t.after(() => withDeadline(store.close(), DEADLINE_MS, 'closing the store'));
  const entries = store.entries({});
  const step = withDeadline(entries.next(), DEADLINE_MS, 'the step');
  await begun;
  const left = withDeadline(entries.return(), DEADLINE_MS, 'leaving');
  return { store, entries, step, left };
}

test('a reader may leave while it is being told that there is no more', async t => {
  const { store, step, left } = await leaveDuring(t, callback => callback());
  assert.deepEqual(await step, { done: true, value: undefined });
  await left;
  assert.equal(store.openIterators, 0);
});

test('a reader may leave while it is being given an entry', async t => {
  const { store, entries, step, left } = await leaveDuring(t, callback => callback(null, 'k', 'v'));
  assert.deepEqual(await step, { done: false, value: { key: 'k', value: 'v' } });
  await left;
  assert.equal(store.openIterators, 0);
  assert.deepEqual(await entries.next(), { done: true, value: undefined });
});

test('a reader may leave while it is being told of a failure', async t => {
  const { store, step, left } = await leaveDuring(t, callback => callback(new Error('IO error')));
  await assert.rejects(step, { type: 'InternalError' });
  await left;
  assert.equal(store.openIterators, 0);
});
