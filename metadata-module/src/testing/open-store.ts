/** The module's store in the test's own process. */
import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { MetadataStore, type MetadataStoreOptions } from '../metadata-store.js';
import { Database } from '../store/key-space.js';
import type { PutOptions } from '../versioning/options.js';

/** Few enough to be full at times. */
export const CACHE_BYTES = 64 * 1024;
export const BUCKET = new Database(['bucket']);
export const PLAIN: PutOptions = { versioning: false, deleteNullKey: false };
export const VERSIONED: PutOptions = { versioning: true, deleteNullKey: false };

/** Opens a store; it is closed when the test ends, unless it was before. */
export async function openStore(
  t: Pick<TestContext, 'after'>,
  options: Partial<MetadataStoreOptions> & Pick<MetadataStoreOptions, 'level'>,
): Promise<MetadataStore> {
  const store = await MetadataStore.open({
    log: silentLogger(),
    maxRecords: 1_000_000,
    cacheBytes: CACHE_BYTES,
    ...options,
  });
  t.after(() => store.close());
  return store;
}

export async function collect<T>(iterator: AsyncIterator<T>): Promise<T[]> {
  const items: T[] = [];
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) items.push(next.value);
  return items;
}
