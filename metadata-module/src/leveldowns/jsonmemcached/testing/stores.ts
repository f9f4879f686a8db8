import path from 'node:path';
import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, openLevel, readEntries, writeBatch } from '../../level-calls.js';
import type { LevelDown } from '../../plugin.js';
import { JsonMemcached, type JsonMemcachedOptions } from '../json-memcached.js';

/** Options for stores of one folder and server. */
export async function newPlace(
  t: Pick<TestContext, 'after'>,
  port: number,
): Promise<Pick<JsonMemcachedOptions, 'servers' | 'folder'>> {
  const folder = path.join(await temporaryFolder(t), 'jsonmemcached');
  return { servers: [{ host: '127.0.0.1', port }], folder };
}

/** A store that is open until the test ends. */
export async function openedStore(
  t: Pick<TestContext, 'after'>,
  options: JsonMemcachedOptions,
): Promise<JsonMemcached> {
  const store = new JsonMemcached(options);
  await openLevel(store);
  t.after(() => closeLevel(store));
  return store;
}

export function put(store: LevelDown, entries: Readonly<Record<string, string>>): Promise<void> {
  return writeBatch(
    store,
    Object.entries(entries).map(([key, value]) => ({ type: 'put', key, value })),
  );
}

export async function contents(store: LevelDown): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of readEntries(store)) found[key.toString()] = value.toString();
  return found;
}

/** What a store holds that is opened and closed again. */
export async function storedIn(options: JsonMemcachedOptions): Promise<Record<string, string>> {
  const store = new JsonMemcached(options);
  await openLevel(store, { createIfMissing: false });
  try {
    return await contents(store);
  } finally {
    await closeLevel(store);
  }
}

export function newClient(t: Pick<TestContext, 'after'>, port: number): MemcachedClient {
  const client = new MemcachedClient({
    servers: [{ host: '127.0.0.1', port }],
    deadlineMs: 2000,
    maxInFlightPerServer: 16,
    log: silentLogger(),
  });
  t.after(() => client.close());
  return client;
}
