/** What was sent on a connection that broke may come to its server late, when other things have been done since. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { generatedBytes } from '../../testing/generated-bytes.js';
import { askMemcached, countItems } from '../../testing/memcached-items.js';
import { startMemcachedModule } from '../../testing/memcached-module.js';
import { chunkKey, manifestKey } from './item-keys.js';

const SIZE = 100_000;
const options = { skip: memcachedMissing, timeout: 120_000 };

async function startedStore(t: test.TestContext) {
  const { port } = await startMemcached(t);
  const proxy = await startTcpProxy(t, port);
  const { store } = await startMemcachedModule(t, [proxy.port], { MEMCACHED_TIMEOUT_MS: '300' });
  const server = { host: '127.0.0.1', port };
  const items = (): Promise<number> => countItems([server]);
  /** Resolves when one of the server's counts is as high. */
  const counts = async (name: 'cmd_set' | 'delete_misses', least: number): Promise<void> => {
    const stats = await askMemcached(server, 'stats', /END\r\n$/);
    if (Number(new RegExp(`STAT ${name} (\\d+)`).exec(stats)?.[1]) >= least) return;
    await sleep(1);
    await counts(name, least);
  };
  return { server, proxy, store, items, counts };
}

/** How long after the second attempt the first one comes; and how late that may be on a busy machine to prove anything. */
const LATE_BY_MS = 200;
const TOO_LATE_MS = 700;

test('a chunk that comes once more, late, does not expire', options, async t => {
  for (let proven = false; !proven;) {
    const { server, proxy, store, items, counts } = await startedStore(t);
    const before = await items();
    proxy.arm({ harm: 'hold', of: 'requests', afterBytes: SIZE / 2 });
    const put = store.put(generatedBytes(1, SIZE), SIZE);
    let lastWithout = performance.now();
    for (let asked = lastWithout; (await items()) === before; asked = performance.now()) lastWithout = asked;
    await sleep(LATE_BY_MS);
    proxy.letPass();
    proven = performance.now() - lastWithout < TOO_LATE_MS;

    const key = await put;
    // The list of servers, the chunk twice, the manifest.
    await counts('cmd_set', 4);
    for (const item of [chunkKey(key, 0), manifestKey(key)]) {
      const answer = await askMemcached(server, `mg ${item} t`, /\r\n$/);
      if (proven) assert.equal(answer.trim(), 'HD t-1', `${item} never expires`);
    }
  }
});

test(
  'an empty blob that comes after its upload has failed goes again',
  { skip: memcachedMissing },
  async t => {
    for (let proven = false; !proven;) {
      const { proxy, store, items, counts } = await startedStore(t);
      const before = await items();
      proxy.arm({ harm: 'hold', of: 'requests', afterBytes: 0, times: 2 });
      await assert.rejects(store.put(Readable.from([]), 0), err => isErrorType(err, 'ServiceUnavailable'));
      const failed = performance.now();
      await counts('delete_misses', 1);
      proxy.letPass();
      // The list of servers, and twice the manifest.
      await counts('cmd_set', 3);
      proven = performance.now() - failed < TOO_LATE_MS;
      while (proven && (await items()) !== before) await sleep(10);
    }
  },
);
