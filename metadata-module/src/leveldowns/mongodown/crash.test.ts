/** SIGKILL of the module's process, and of the server, in the middle of many batches. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { mongodbMissing, ownMongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { seededRandom, type Random } from '@zenko-modules/common/testing/random';
import { closeLevel, openLevel } from '../level-calls.js';
import { onServerThatComesBack } from './testing/server-that-comes-back.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';
import { checkState, writeMore } from './testing/numbered-batches.js';
import { startWriter } from './testing/writer-process.js';

const LEASE_MS = 300;
/** `CRASH_KILLS=100 npm test -- mongodown/crash` kills that often in each test, for a longer run by hand. */
const KILLS = process.env.CRASH_KILLS === undefined ? undefined : Number(process.env.CRASH_KILLS);
const WRITER_KILLS = KILLS ?? 10;
const SERVER_KILLS = KILLS ?? 4;
const KILLS_OF_BOTH = KILLS ?? 4;
/** Many times what 30 batches take: a server whose files a kill has damaged would be waited for without an end. */
const STANDSTILL_MS = 120_000;

/** Batches that a writer has under way at once: each alone, or many that share a document. */
const atOnceOf = (random: Random): number => [1, 4, 32, 64][random.integer(0, 3)] ?? 1;

test(
  'killed again and again between many batches, a store holds a whole number of them, and all that were acknowledged',
  { skip: mongodbMissing },
  async t => {
    const random = seededRandom(t);
    const place = await newPlace(t);
    let last = 0;
    for (let round = 0; round < WRITER_KILLS; round += 1) {
      const writer = await startWriter(t, place, { leaseMs: LEASE_MS }, atOnceOf(random));
      await sleep(random.integer(0, 600));
      writer.signal('SIGKILL');
      await writer.ended;
      last = checkState(await withStore(newStore(place), contents), writer.acknowledged());
    }
    t.diagnostic(`${last} batches, ${WRITER_KILLS} kills`);
  },
);

test(
  'a process and its server that are killed, one after the other, come back with all that was acknowledged, and take writes',
  { skip: ownMongodbMissing },
  async t => {
    await onServerThatComesBack(t, async ({ server, place, log }) => {
      const random = seededRandom(t);
      let last = 0;
      for (let round = 0; round < KILLS_OF_BOTH; round += 1) {
        // Resolves when a batch was acknowledged.
        const options = { leaseMs: LEASE_MS, inUse: 'wait' } as const;
        const writer = await startWriter(t, place, options, atOnceOf(random), log);
        await sleep(random.integer(0, 600));
        const kills: (() => Promise<unknown>)[] = [
          () => {
            writer.signal('SIGKILL');
            return writer.ended;
          },
          async () => {
            await server.stop('SIGKILL');
            await sleep(random.integer(0, 300));
            await server.start();
          },
        ];
        if (random.integer(0, 1) === 1) kills.reverse();
        for (const kill of kills) {
          await kill();
          await sleep(random.integer(0, 300));
        }
        await writer.ended;
        last = checkState(
          await withStore(newStore(place, { inUse: 'wait', log }), contents),
          writer.acknowledged(),
        );
      }
      t.diagnostic(`${last} batches, ${KILLS_OF_BOTH} kills of both`);
    });
  },
);

test(
  'a server that is killed again and again loses nothing, and the store comes back by itself',
  { skip: ownMongodbMissing },
  async t => {
    await onServerThatComesBack(t, async ({ server, place, log, isDamaged }) => {
      const random = seededRandom(t);
      const store = newStore(place, { leaseMs: 20_000, log });
      await openLevel(store);
      const progress = { acknowledged: 0, failures: 0, stop: false };
      const writing = (async () => {
        while (!progress.stop) {
          await writeMore(store, progress, { count: 100, atOnce: 1 });
        }
      })();
      t.after(() => (progress.stop = true));
      for (let kill = 0; kill < SERVER_KILLS; kill += 1) {
        const before = progress.acknowledged;
        const deadline = Date.now() + STANDSTILL_MS;
        while (progress.acknowledged < before + 30) {
          if (isDamaged() || Date.now() > deadline) {
            progress.stop = true;
            throw new Error(`the store stands still after ${kill} kills of the server`);
          }
          await sleep(10);
        }
        await sleep(random.integer(0, 200));
        await server.stop('SIGKILL');
        await sleep(random.integer(0, 500));
        await server.start();
      }
      progress.stop = true;
      await writing;
      assert.equal(checkState(await contents(store), progress.acknowledged), progress.acknowledged);
      await closeLevel(store);
      const count = checkState(await withStore(newStore(place), contents), progress.acknowledged);
      assert.equal(count, progress.acknowledged);
      t.diagnostic(`${count} batches, ${SERVER_KILLS} kills, ${progress.failures} calls failed meanwhile`);
    });
  },
);
