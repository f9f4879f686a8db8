import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';
import { linkSignals, onAbort, orAborted } from './abort.js';

const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

test('a linked signal follows each of its sources, with the reason', () => {
  for (const which of [0, 1]) {
    const sources = [new AbortController(), new AbortController()];
    const { signal } = linkSignals(...sources.map(source => source.signal));
    assert.equal(signal.aborted, false);
    sources[which]?.abort(new Error('enough'));
    assert.equal(signal.aborted, true);
    assert.equal((signal.reason as Error).message, 'enough');
  }
  assert.equal(linkSignals(AbortSignal.abort()).signal.aborted, true);
});

test('a released signal leaves nothing in its sources, and stays as it is', () => {
  const source = new AbortController();
  const linked = linkSignals(source.signal);
  assert.equal(listenersOf(source.signal), 1);
  linked.release();
  linked.release();
  assert.equal(listenersOf(source.signal), 0);
  source.abort();
  assert.equal(linked.signal.aborted, false);
});

test('work is waited for until the signal is aborted, and no listener stays', async () => {
  const source = new AbortController();
  assert.equal(await orAborted(Promise.resolve(1), source.signal), 1);
  await assert.rejects(orAborted(Promise.reject(new Error('no')), source.signal), /no/);
  await new Promise(setImmediate);
  assert.equal(listenersOf(source.signal), 0);
  const waiting = orAborted(new Promise(() => undefined), source.signal);
  source.abort();
  assert.equal(await waiting, undefined);
  let called = 0;
  onAbort(source.signal, () => called++);
  assert.equal(called, 1);
});
