/** The module is killed in the midst of uploads: nothing half can be read, and what lies around expires. */
import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { generatedBytes } from '../../testing/generated-bytes.js';
import { HttpStore } from '../../testing/http-store.js';
import { askMemcached } from '../../testing/memcached-items.js';
import { chunkKey, manifestKey } from './item-keys.js';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));

test(
  'after SIGKILL acknowledged blobs are whole and stay, and chunks of cut uploads expire',
  { skip: memcachedMissing },
  async t => {
    const server = { host: '127.0.0.1', port: (await startMemcached(t)).port };
    const env = {
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      DATA_DIR: await temporaryFolder(t),
      DATA_BACKEND: 'memcached',
      MEMCACHED_HOSTS: `${server.host}:${server.port}`,
      LOG_LEVEL: 'warn',
    };
    const first = await startDaemon(t, { entry: MAIN, env });
    const before = new HttpStore(first.ports.DATA_PORT ?? 0);
    const key = await before.put(Readable.from(['kept']), 4);
    const source = new PassThrough();
    source.on('error', () => source.destroy());
    const put = before.put(source, 8 * 1024 * 1024);
    generatedBytes(1, 4 * 1024 * 1024).pipe(source, { end: false });
    const itemsOf = async (): Promise<string[]> => {
      const dump = await askMemcached(server, 'lru_crawler metadump all', /END\r\n$/);
      return [...dump.matchAll(/^key=(\S+) /gm)].map(([, item]) => decodeURIComponent(item ?? ''));
    };
    /** Seconds until an item expires: -1 for never. */
    const expiryOf = async (item: string): Promise<number> =>
      Number(/^HD t(-?\d+)/.exec(await askMemcached(server, `mg ${item} t`, /\r\n$/))?.[1]);
    while ((await itemsOf()).length < 10) await sleep(50);
    const cut = assert.rejects(put);
    await first.kill('SIGKILL');
    await cut;
    await before.close();

    const second = await startDaemon(t, { entry: MAIN, env });
    const after = new HttpStore(second.ports.DATA_PORT ?? 0);
    assert.equal(await text(await after.get(key)), 'kept');
    const stays = ['zenko-data!servers', manifestKey(key), chunkKey(key, 0)];
    for (const item of stays) assert.equal(await expiryOf(item), -1, item);
    const expires = (await itemsOf()).filter(item => !stays.includes(item));
    assert.ok(expires.length > 0, 'chunks of the cut upload are there');
    for (const item of expires) assert.ok((await expiryOf(item)) > 0, item);
    await after.close();
    assert.deepEqual(await second.kill('SIGTERM'), { code: 0, signal: null });
  },
);
