import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { withDeadline } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { RecordLog } from '../record-log/record-log.js';
import { type FaultyLevel, faultyLevel } from '../testing/faulty-level.js';
import { BUCKET } from '../testing/open-store.js';
import { CommitQueue } from './commit-queue.js';
import { MonotonicClock } from './monotonic-clock.js';
import { OpenLevel } from './open-level.js';
import { Recovery } from './recovery.js';

async function openQueue(): Promise<{
  readonly put: (key: string) => Promise<void>;
  readonly faulty: FaultyLevel;
  /** Of the queue; it stands still. */
  readonly clock: { ms: number };
}> {
  const faulty = await faultyLevel();
  const store = await OpenLevel.open(faulty.level);
  const recordLog = await RecordLog.open(store, new MonotonicClock());
  const log = silentLogger();
  const recovery = new Recovery({ store, recordLog, log });
  const clock = { ms: 0 };
  const commits = new CommitQueue({ store, recordLog, recovery, log, observers: [], now: () => clock.ms });
  return { put: key => commits.commit(BUCKET, [{ type: 'put', key, value: '{}' }]), faulty, clock };
}

test('what one turn of the event loop brings is one batch, also when it finds the queue empty', async () => {
  const { put, faulty } = await openQueue();
  await Promise.all(Array.from({ length: 16 }, (_, n) => put(`k${n}`)));
  assert.equal(faulty.batches.length, 1);
  assert.equal(faulty.batches[0]?.operations.length, 2 * 16, 'with their records');
});

test('a store that is quick gets half of what is in line, so that it works while its clients do; a slow one gets all', async () => {
  const { put, faulty, clock } = await openQueue();
  const sizes = async (): Promise<readonly number[]> => {
    const before = faulty.batches.length;
    await Promise.all(Array.from({ length: 200 }, (_, n) => put(`k${n}`)));
    return faulty.batches.slice(before).map(({ operations }) => operations.length / 2);
  };
  assert.deepEqual(await sizes(), [200], 'it may be slow');
  for (let n = 0; n < 30; n += 1) await put('quick');
  assert.deepEqual(await sizes(), [100, 50, 25, 16, 9]);
  let release = (): void => undefined;
  faulty.held = new Promise(resolve => (release = resolve));
  const slow = put('slow');
  while (faulty.batches.at(-1)?.operations.length !== 2) await nextTurn();
  clock.ms += 1000;
  release();
  await slow;
  faulty.held = undefined;
  assert.deepEqual(await sizes(), [200]);
});

test('what arrives while a batch is being written is the next batch', async () => {
  const { put, faulty } = await openQueue();
  let release = (): void => undefined;
  faulty.held = new Promise(resolve => (release = resolve));
  const puts = [put('first')];
  while (faulty.batches.length === 0) await nextTurn();
  for (let n = 0; n < 3; n += 1) {
    puts.push(put(`later${n}`));
    await nextTurn();
  }
  release();
  await Promise.all(puts);
  assert.deepEqual(
    faulty.batches.map(({ operations }) => operations.length),
    [2, 2 * 3],
  );
});

test('a commit is written whichever moment after another one it comes in', async () => {
  const { put } = await openQueue();
  for (let steps = 0; steps < 10; steps += 1) {
    await put('a');
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    await withDeadline(put('b'), 5000, `a commit ${steps} steps after another one`);
  }
});
