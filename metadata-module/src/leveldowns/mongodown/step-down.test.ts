/** A primary that steps down again and again while mongodown writes; on a server that cannot, one that is killed and comes back. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { sleep } from '@zenko-modules/common/deadline';
import { type DamageWatch, untilServerComesBack } from '@zenko-modules/common/testing/mongodb-damage';
import {
  losablePrimaryMissing as skip,
  type LosablePrimary,
  startLosablePrimary,
} from '@zenko-modules/common/testing/mongodb-step-down';
import { type Random, seededRandom } from '@zenko-modules/common/testing/random';
import { testCrash } from '../../testing/crash-run.js';
import { runScript } from '../../testing/model/run.js';
import { scripts } from '../../testing/model/scripts.js';
import { propertyOptions } from '../../testing/seed.js';
import { closeLevel, openLevel } from '../level-calls.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';
import { checkState, writeMore } from './testing/numbered-batches.js';

/** How often the primary is lost in each test; `STEP_DOWNS=50 npm test -- mongodown/step-down` for a longer run by hand. */
const STEP_DOWNS = Number(process.env.STEP_DOWNS ?? 3);
/** Scripts that are run between two looks at how often the primary was lost. */
const SCRIPTS = 2;
/** A call outlasts the time without a primary, also on a busy machine: it succeeds, and only once. */
const PATIENT = { timeoutMs: 60_000, leaseMs: 120_000 } as const;

/**
 * Loses the primary STEP_DOWNS times, with pauses in which work goes on; no more often, for on a slow machine a server
 * that is hardly back would be lost before any work is done. Both calls tell when that has failed.
 */
function losing(
  { lose }: LosablePrimary,
  { isDamaged }: DamageWatch,
  random: Random,
): { count: () => number; stop: () => Promise<void> } {
  let [count, stopped] = [0, false];
  let failure: unknown;
  const ended = (async () => {
    while (count < STEP_DOWNS && !stopped && !isDamaged()) {
      await sleep(random.integer(200, 1500));
      await lose();
      count += 1;
    }
  })();
  ended.catch((err: unknown) => {
    failure = err;
  });
  return {
    count: () => {
      if (failure !== undefined) throw new Error('the primary could not be lost', { cause: failure });
      return count;
    },
    stop: async () => {
      stopped = true;
      await ended;
    },
  };
}

test(
  'a primary that is lost again and again loses no batch, does none twice, and is followed',
  { skip },
  async t => {
    const random = seededRandom(t);
    await untilServerComesBack(t, async watch => {
      const primary = await startLosablePrimary(t);
      const place = { url: primary.url, database: `test-${randomUUID()}`, collection: 'metadata' };
      const store = newStore(place, { leaseMs: 60_000, log: watch.log });
      await openLevel(store);
      const progress = { acknowledged: 0, failures: 0 };
      const loss = losing(primary, watch, random);
      while (loss.count() < STEP_DOWNS) {
        await writeMore(store, progress, { count: 40 });
      }
      await loss.stop();
      await writeMore(store, progress, { count: 4 });
      assert.equal(checkState(await contents(store), progress.acknowledged), progress.acknowledged);
      await closeLevel(store);
      assert.equal(
        checkState(await withStore(newStore(place), contents), progress.acknowledged),
        progress.acknowledged,
      );
      t.diagnostic(
        `${progress.acknowledged} batches, ${loss.count()} times ${primary.kind}, ${progress.failures} calls failed`,
      );
    });
  },
);

test('random calls do what the rules say while the primary is lost again and again', { skip }, async t => {
  const random = seededRandom(t);
  await untilServerComesBack(t, async watch => {
    const primary = await startLosablePrimary(t);
    const loss = losing(primary, watch, random);
    let run = 0;
    try {
      while (loss.count() < STEP_DOWNS) {
        const property = fc.asyncProperty(scripts(4), async script => {
          const place = await newPlace(t, primary.url);
          run += 1;
          await runScript({ level: () => newStore(place, { ...PATIENT, log: watch.log }) }, script);
        });
        await fc.assert(property, { ...propertyOptions(t, SCRIPTS), endOnFailure: true });
      }
    } finally {
      await loss.stop();
    }
    t.diagnostic(`${run} scripts, ${loss.count()} times ${primary.kind}`);
  });
});

if (skip === false) {
  let primary: LosablePrimary;
  testCrash({
    name: 'mongodown, whose primary is lost as well',
    kills: STEP_DOWNS,
    around: untilServerComesBack,
    env: async t => {
      primary = await startLosablePrimary(t);
      const { url, database } = await newPlace(t, primary.url);
      return {
        METADATA_BACKEND: 'mongodown',
        MONGODB_URL: url,
        MONGODB_DATABASE: database,
        MONGODB_LEASE_MS: '600',
        MONGODB_IN_USE: 'wait',
      };
    },
    disturb: () => primary.lose(),
  });
}
