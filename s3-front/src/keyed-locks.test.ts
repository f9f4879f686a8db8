import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { withDeadline } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { KeyedLocks } from './keyed-locks.js';

const LONG_MS = 60_000;

test('a writer is alone, readers are together, and the order is that of asking', async () => {
  const locks = new KeyedLocks(LONG_MS);
  const log: string[] = [];
  const step = (name: string) => async (): Promise<void> => {
    log.push(`+${name}`);
    await turn();
    await turn();
    log.push(`-${name}`);
  };
  await Promise.all([
    locks.shared('x', step('r1')),
    locks.shared('x', step('r2')),
    locks.exclusive('x', step('w1')),
    locks.shared('x', step('r3')),
    locks.exclusive('x', step('w2')),
    locks.exclusive('y', step('other')),
  ]);
  assert.deepEqual(
    log.filter(entry => !entry.includes('other')),
    ['+r1', '+r2', '-r1', '-r2', '+w1', '-w1', '+r3', '-r3', '+w2', '-w2'],
  );
  assert.ok(log.indexOf('+other') < log.indexOf('+w1'), 'another name does not wait');
  assert.equal(locks.size, 0);
});

test('a lock is let go when the work fails', async () => {
  const locks = new KeyedLocks(LONG_MS);
  const fail = (): Promise<never> => Promise.reject(new Error('failed'));
  await assert.rejects(locks.exclusive('x', fail), /failed/);
  await assert.rejects(locks.shared('x', fail), /failed/);
  assert.equal(await locks.exclusive('x', () => Promise.resolve(1)), 1);
  assert.equal(locks.size, 0);
});

test('who has waited for too long gives up, and those behind it go on', async () => {
  const locks = new KeyedLocks(20);
  const done = (): Promise<string> => Promise.resolve('done');
  let open = (): void => undefined;
  const opened = new Promise<void>(resolve => (open = resolve));
  const reader = locks.shared('x', () => opened);
  const late = withDeadline(locks.exclusive('x', done), 5000, 'waiting');
  const behind = locks.shared('x', done);
  await assert.rejects(late, { type: 'ServiceUnavailable' });
  assert.equal(await behind, 'done', 'it meets the first reader');
  open();
  await reader;
  assert.equal(await locks.exclusive('x', done), 'done');
  assert.equal(locks.size, 0);
});

test('however work is mixed, a writer never meets anybody', async t => {
  const random = seededRandom(t);
  const locks = new KeyedLocks(LONG_MS);
  let writers = 0;
  let readers = 0;
  const work = (isWriter: boolean) => async (): Promise<void> => {
    if (isWriter) writers += 1;
    else readers += 1;
    assert.ok(writers === 0 || (writers === 1 && readers === 0));
    for (let left = random.integer(0, 3); left > 0; left -= 1) await turn();
    if (isWriter) writers -= 1;
    else readers -= 1;
  };
  await Promise.all(
    Array.from({ length: 300 }, async () => {
      for (let left = random.integer(0, 20); left > 0; left -= 1) await turn();
      const isWriter = random.integer(0, 2) === 0;
      await (isWriter ? locks.exclusive('x', work(true)) : locks.shared('x', work(false)));
    }),
  );
  assert.equal(locks.size, 0);
});
