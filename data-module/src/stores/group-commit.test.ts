/** Which entries share a batch, and when one is written. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { GroupCommit } from './group-commit.js';

interface Entry {
  readonly bytes: number;
}

const LIMITS = { maxBytes: 100, maxEntries: 4 };

/** One whose batches are written when `release` is called. */
function started(): {
  readonly commit: GroupCommit<Entry>;
  readonly batches: number[][];
  release(): void;
} {
  const batches: number[][] = [];
  const rig = {
    batches,
    release: (): void => undefined,
    commit: new GroupCommit<Entry>({
      ...LIMITS,
      write: batch => {
        batches.push(batch.map(({ bytes }) => bytes));
        return new Promise<void>(resolve => (rig.release = resolve));
      },
    }),
  };
  return rig;
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('what comes in one turn is one batch, and what comes while it is written the next', async () => {
  const rig = started();
  const { commit, batches } = rig;
  await commit.batchWritten();
  await commit.idle();
  for (const bytes of [1, 2]) commit.add({ bytes });
  await turn();
  for (const bytes of [3, 4]) commit.add({ bytes });
  for (let turns = 0; turns < 5; turns += 1) await turn();
  assert.deepEqual(batches, [[1, 2]], 'one at a time');
  assert.equal(commit.waitingBytes, 7);
  const [written, idle] = [commit.batchWritten(), commit.idle()];
  rig.release();
  await written;
  assert.equal(batches.length, 1, 'the one that was being written');
  await turn();
  assert.deepEqual(batches, [
    [1, 2],
    [3, 4],
  ]);
  rig.release();
  await idle;
  assert.equal(commit.waitingBytes, 0);
});

test('no batch has more than its bytes and entries, but one entry alone may', async () => {
  const rig = started();
  const { commit, batches } = rig;
  for (const bytes of [500, 60, 40, 1, 1, 1, 1, 99, 2]) commit.add({ bytes });
  const idle = commit.idle();
  for (let turns = 0; turns < 20; turns += 1) {
    await turn();
    rig.release();
  }
  await idle;
  assert.deepEqual(batches, [[500], [60, 40], [1, 1, 1, 1], [99], [2]]);
});
