/** Modules over the same memcached, each with a folder of its own, are killed in the midst of uploads and deletes. */
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/harmed-transfers.js';
import { killModules } from '../../testing/killed-modules.js';
import { listItems } from '../../testing/memcached-items.js';
import { chunkKey, manifestKey, SERVER_LIST_KEY } from './item-keys.js';
import { mkdir } from 'node:fs/promises';

const CHUNK = 20_000;
const KILLS = Number(process.env.CRASH_KILLS ?? 5);

test(
  'of four modules no key comes twice, and none removes what another is at work on',
  { skip: memcachedMissing },
  async t => {
    const { port } = await startMemcached(t);
    const folder = await temporaryFolder(t);
    const { stored, untold, store } = await killModules(t, {
      modules: 4,
      kills: KILLS,
      maxBytes: 20 * CHUNK,
      env: async module => {
        const own = path.join(folder, String(module));
        await mkdir(own, { recursive: true });
        return {
          DATA_BACKEND: 'memcached',
          DATA_DIR: own,
          MEMCACHED_HOSTS: `127.0.0.1:${port}`,
          MEMCACHED_CHUNK_BYTES: String(CHUNK),
        };
      },
    });
    await eventually('nothing is left but whole blobs', async () => {
      const items = await listItems({ host: '127.0.0.1', port });
      const blobs = [...items].flatMap(item => /^zenko-data:([0-9a-f]+)$/.exec(item)?.[1] ?? []);
      assert.ok(blobs.length <= stored.size + untold);
      const expected = [SERVER_LIST_KEY];
      for (const key of blobs) {
        const chunks = Math.ceil((await store.stat(key)) / CHUNK);
        expected.push(manifestKey(key), ...Array.from({ length: chunks }, (_, n) => chunkKey(key, n)));
      }
      assert.deepEqual([...items].sort(), expected.sort());
      return true;
    });
  },
);
