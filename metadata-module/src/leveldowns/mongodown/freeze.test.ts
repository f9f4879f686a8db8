/**
 * Two real processes: the first is stopped past its lease, the second takes over and writes, the first goes
 * on.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { closeLevel, openLevel } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';
import { checkState, writeBatches } from './testing/numbered-batches.js';
import { startWriter } from './testing/writer-process.js';

const ROUNDS = 10;
const LEASE_MS = 300;

test(
  'a writer that was frozen past its lease changes nothing when it goes on, whatever it had under way',
  { skip: mongodbMissing },
  async t => {
    const random = seededRandom(t);
    const place = await newPlace(t);
    let last = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const writer = await startWriter(t, place, { leaseMs: LEASE_MS, inUse: 'wait' });
      await sleep(random.integer(0, 120));
      writer.signal('SIGSTOP');

      const next = newStore(place, { inUse: 'wait', leaseMs: LEASE_MS });
      await openLevel(next);
      const count = checkState(await contents(next), writer.acknowledged());
      // Let go on while the next owner writes.
      const writing = writeBatches(next, { from: count, last: count + 60 }, () => undefined);
      await sleep(random.integer(0, 40));
      writer.signal('SIGCONT');
      assert.equal(await writing, undefined);
      await withDeadline(writer.ended, 20_000, 'the end of the frozen writer');
      assert.equal(writer.failure(), LEVEL_ERRORS.fenced);
      assert.equal(checkState(await contents(next), count + 60), count + 60);
      await closeLevel(next);
      last = count + 60;
    }
    assert.equal(checkState(await withStore(newStore(place), contents), last), last);
    t.diagnostic(`${last} batches in ${ROUNDS} rounds`);
  },
);
