/** What was sent on a connection that broke may come to its server late, when other things have been done since. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { generatedBytes } from '../../testing/generated-bytes.js';
import { askMemcached, countItems } from '../../testing/memcached-items.js';
import { startMemcachedModule } from '../../testing/memcached-module.js';
import { chunkKey, manifestKey } from './item-keys.js';

const SIZE = 100_000;

/** What the server has been told to store: the list of servers, the chunk twice, the manifest. */
const SETS = 4;

/** How long after the second attempt the first one comes; and how late that may be on a busy machine to prove anything. */
const LATE_BY_MS = 200;
const TOO_LATE_MS = 700;

test('a chunk that comes once more, late, does not expire', { skip: memcachedMissing }, async t => {
  for (let proven = false; !proven;) {
    const { port } = await startMemcached(t);
    const proxy = await startTcpProxy(t, port);
    const server = { host: '127.0.0.1', port };
    const { store } = await startMemcachedModule(t, [proxy.port], { MEMCACHED_TIMEOUT_MS: '300' });
    const items = await countItems([server]);
    proxy.arm({ harm: 'hold', of: 'requests', afterBytes: SIZE / 2 });
    const put = store.put(generatedBytes(1, SIZE), SIZE);
    let lastWithout = performance.now();
    for (let asked = lastWithout; (await countItems([server])) === items; asked = performance.now())
      lastWithout = asked;
    await sleep(LATE_BY_MS);
    proxy.letPass();
    proven = performance.now() - lastWithout < TOO_LATE_MS;

    const key = await put;
    const sets = async (): Promise<number> =>
      Number(/STAT cmd_set (\d+)/.exec(await askMemcached(server, 'stats', /END\r\n$/))?.[1]);
    while ((await sets()) < SETS) await sleep(10);
    for (const item of [chunkKey(key, 0), manifestKey(key)]) {
      const answer = await askMemcached(server, `mg ${item} t`, /\r\n$/);
      if (proven) assert.equal(answer.trim(), 'HD t-1', `${item} never expires`);
    }
  }
});
