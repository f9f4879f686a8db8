import assert from 'node:assert/strict';
import test from 'node:test';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { closeLevel } from '../level-calls.js';
import { killAgainAndAgain } from '../jsondown/testing/crash-scenario.js';
import { allKeys, assertOneGeneration } from './testing/server-items.js';
import { newPlace, openedStore } from './testing/stores.js';

const ROUNDS = Number(process.env.CRASH_KILLS ?? 12);

test(
  'killed again and again between many batches, memcached holds a whole number of them, all that were acknowledged, and nothing else',
  { skip: memcachedMissing },
  async t => {
    const { port } = await startMemcached(t);
    const place = await newPlace(t, port);
    let midSnapshot = 0;
    const batches = await killAgainAndAgain(t, {
      module: new URL('testing/opener.js', import.meta.url).href,
      options: place,
      rounds: ROUNDS,
      afterKill: async () => {
        const heads = (await allKeys(port)).filter(key => /:j\d+$/.test(key));
        assert.ok(heads.length >= 1);
        if (heads.length > 1) midSnapshot += 1;
      },
    });
    await closeLevel(await openedStore(t, place));
    await assertOneGeneration(port);
    t.diagnostic(`${batches} batches, ${midSnapshot} of ${ROUNDS} kills while a snapshot was written`);
  },
);
