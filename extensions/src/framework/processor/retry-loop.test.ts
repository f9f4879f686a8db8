import assert from 'node:assert/strict';
import test from 'node:test';
import { retry } from './retry-loop.js';

const pauses = { minPauseMs: 1, maxPauseMs: 4 };
const never = new AbortController().signal;

test('it attempts until one succeeds, and says which one each is', async () => {
  const numbers: number[] = [];
  const result = await retry({
    attempt: number => {
      numbers.push(number);
      return number < 4 ? Promise.reject(new Error('not yet')) : Promise.resolve('done');
    },
    again: () => true,
    pauses,
    signal: never,
  });
  assert.equal(result, 'done');
  assert.deepEqual(numbers, [1, 2, 3, 4]);
});

test('it ends with the error after which no other attempt may follow', async () => {
  let attempts = 0;
  const failing = retry({
    attempt: () => Promise.reject(new TypeError(`failure ${++attempts}`)),
    again: () => Promise.resolve(attempts < 3),
    pauses,
    signal: never,
  });
  await assert.rejects(failing, { name: 'TypeError', message: 'failure 3' });
});

test('an attempt that is under way is waited for when the signal is aborted', async () => {
  const stop = new AbortController();
  let ended = false;
  const working = retry({
    attempt: async () => {
      stop.abort();
      await new Promise(resolve => setTimeout(resolve, 30));
      ended = true;
      return 'done';
    },
    again: () => true,
    pauses,
    signal: stop.signal,
  });
  assert.equal(await working, 'done');
  assert.ok(ended);
});

test('a wait is cut by the signal, and no other attempt begins', async () => {
  const stop = new AbortController();
  let attempts = 0;
  const waiting = retry({
    attempt: () => {
      attempts++;
      return Promise.reject(new Error('away'));
    },
    again: () => {
      setImmediate(() => stop.abort(new Error('stopped')));
      return true;
    },
    pauses: { minPauseMs: 3_600_000, maxPauseMs: 3_600_000 },
    signal: stop.signal,
  });
  await assert.rejects(waiting, /stopped/);
  assert.equal(attempts, 1);
});
