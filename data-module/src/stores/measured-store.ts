import type { Readable } from 'node:stream';
import { toCatalogueError } from '@zenko-modules/common/errors';
import type { ByteRange, DataStore, DiskUsage } from '../data-store.js';

/** Told of each call that settled: `outcome` is `ok` or the type of its error. */
export type StoreObserver = (operation: string, outcome: string, seconds: number) => void;

/** The same store, its calls timed and its errors of the catalogue. The time of a `get` is that until its first byte can be read. */
export function measuredStore(store: DataStore, observe: StoreObserver): DataStore {
  const measured = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const tell = (outcome: string): void => observe(operation, outcome, (performance.now() - started) / 1000);
    try {
      const result = await work();
      tell('ok');
      return result;
    } catch (err) {
      const named = toCatalogueError(err);
      tell(named.type);
      throw named;
    }
  };
  return {
    put: (source: Readable, size: number) => measured('put', () => store.put(source, size)),
    stat: (key: string) => measured('stat', () => store.stat(key)),
    get: (key: string, range?: ByteRange) => measured('get', () => store.get(key, range)),
    delete: (key: string) => measured('delete', () => store.delete(key)),
    diskUsage: (): Promise<DiskUsage> => measured('diskUsage', () => store.diskUsage()),
    ping: () => store.ping(),
    close: () => store.close(),
  };
}
