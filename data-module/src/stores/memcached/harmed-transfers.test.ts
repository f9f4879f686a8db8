/** Whole transfers while connections to memcached break in every way: right bytes, an error, or a cut; nothing else. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { type Harm, startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { sleep } from '@zenko-modules/common/deadline';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { countItems } from '../../testing/memcached-items.js';
import { startMemcachedModule } from '../../testing/memcached-module.js';

/** With how many rounds of each: a stall costs its deadline. */
const HARMS: readonly (readonly [Harm, number])[] = [
  ['reset', 30],
  ['close', 30],
  ['stall', 12],
];
const CHUNK = 100_000;
const SETTLE_MS = 20_000;

for (const [harm, rounds] of HARMS) {
  test(`transfers while connections ${harm}`, { skip: memcachedMissing }, async t => {
    const random = seededRandom(t);
    const { port } = await startMemcached(t);
    const proxy = await startTcpProxy(t, port);
    const more = { MEMCACHED_CHUNK_BYTES: String(CHUNK), MEMCACHED_TIMEOUT_MS: '300' };
    const { store } = await startMemcachedModule(t, [proxy.port], more);
    const stored = new Map<string, { seed: number; size: number }>();
    const outcomes = { whole: 0, failed: 0 };

    for (let round = 0; round < rounds; round += 1) {
      const of = random.integer(0, 1) === 0 ? 'answers' : 'requests';
      const afterBytes = random.integer(0, 12 * CHUNK);
      proxy.arm({ harm, of, afterBytes, times: random.integer(1, 3) });
      const uploads = Array.from({ length: 2 }, async (_, i) => {
        const seed = random.seed + 100 * round + i;
        const size = random.integer(0, 10 * CHUNK);
        stored.set(await store.put(generatedBytes(seed, size), size), { seed, size });
      });
      const keys = [...stored.keys()];
      const reads = Array.from({ length: Math.min(3, keys.length) }, async () => {
        const key = keys[random.integer(0, keys.length - 1)] ?? '';
        const { seed, size } = stored.get(key) ?? { seed: 0, size: 0 };
        const got = await digestOf(await store.get(key));
        if (got.sha256 !== (await digestOf(generatedBytes(seed, size))).sha256) throw new WrongBytes();
      });
      for (const result of await Promise.allSettled([...uploads, ...reads])) {
        if (result.status === 'fulfilled') outcomes.whole += 1;
        else outcomes.failed += 1;
        assert.ok(result.status === 'fulfilled' || !(result.reason instanceof WrongBytes));
      }
    }
    t.diagnostic(`${outcomes.whole} whole, ${outcomes.failed} failed, ${proxy.harmed()} times harmed`);
    assert.ok(proxy.harmed() > 5 && outcomes.whole > 0);

    proxy.arm({ harm, afterBytes: 0, times: 0 });
    for (const [key, { seed, size }] of stored) {
      assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(seed, size)));
      await store.delete(key);
    }
    // The list of servers is all that stays.
    const deadline = Date.now() + SETTLE_MS;
    while ((await countItems([{ host: '127.0.0.1', port }])) > 1 && Date.now() < deadline) await sleep(50);
    assert.equal(await countItems([{ host: '127.0.0.1', port }]), 1);
  });
}

class WrongBytes extends Error {}
