import { anyMemcached, anyMemcachedMissing } from '@zenko-modules/common/testing/memcached-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { Environment } from '@zenko-modules/common/settings';
import type { TestContext } from 'node:test';
import { type FileOwner, lastingModule } from '../../testing/lasting-module.js';
import { countItems } from '../../testing/memcached-items.js';
import { silentLogger } from '@zenko-modules/common/logger';
import { openStore } from '../open-store.js';
import { type StoreUnderTest, testStoreContract } from '../../testing/store-contract.js';
import { memcachedStore } from './memcached-store.js';

const DEFAULT_CHUNK = 252_000;
const SMALL_CHUNK = 20_000;

/** Servers of the test's own, or named ones, and the environment that leads the store to them. */
async function onMemcached(t: FileOwner, count: number, env: Environment) {
  const servers = await anyMemcached(t, count, { args: ['-M', '-m', '512'] });
  const folder = await temporaryFolder(t);
  const hosts = servers.map(({ host, port }) => `${host}:${port}`).join(',');
  return {
    env: { DATA_BACKEND: 'memcached', DATA_DIR: folder, MEMCACHED_HOSTS: hosts, ...env },
    residue: () => countItems(servers),
  };
}

async function openOnServers(t: TestContext, count: number, more: Environment = {}): Promise<StoreUnderTest> {
  const { env, residue } = await onMemcached(t, count, more);
  const store = await openStore(memcachedStore, { dataDir: env.DATA_DIR, env, log: silentLogger() });
  const reopen = async () => {
    await store.close();
    return openStore(memcachedStore, { dataDir: env.DATA_DIR, env, log: silentLogger() });
  };
  return { store, residue, reopen };
}

testStoreContract({
  name: 'memcached',
  skip: anyMemcachedMissing,
  boundaries: [DEFAULT_CHUNK, 2 * DEFAULT_CHUNK],
  largeBytes: 160 * 1024 * 1024,
  open: t => openOnServers(t, 1),
});

testStoreContract({
  name: 'three memcached servers, small chunks',
  skip: anyMemcachedMissing,
  boundaries: [SMALL_CHUNK, 10 * SMALL_CHUNK],
  largeBytes: 16 * 1024 * 1024,
  open: t => openOnServers(t, 3, { MEMCACHED_CHUNK_BYTES: String(SMALL_CHUNK), MEMCACHED_WINDOW: '3' }),
});

for (const workers of ['1', '2'])
  testStoreContract({
    name: `memcached over HTTP, workers: ${workers}`,
    skip: anyMemcachedMissing,
    boundaries: [DEFAULT_CHUNK],
    largeBytes: 32 * 1024 * 1024,
    open: lastingModule(file => onMemcached(file, 1, { DATA_WORKERS: workers })),
  });
