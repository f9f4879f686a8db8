/**
 * The layer over every store, so that stores need not do for themselves what is the same for all: sizes and keys
 * are checked, errors are named, what is closed refuses, and each call is timed.
 */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CatalogueError, toCatalogueError } from '@zenko-modules/common/errors';
import type { ByteRange, DataStore, DiskUsage } from '../data-store.js';
import { ExactSize } from './exact-size.js';

/** Told of each call that settled: `outcome` is `ok` or the type of its error. A `get` settles when its first byte can be read. */
export type StoreObserver = (operation: string, outcome: string, seconds: number) => void;

/** Longer keys name no blob, so that a store may make file names or item keys of those that do. */
const MAX_KEY_LENGTH = 128;

export class StoreLayer implements DataStore {
  readonly #store: DataStore;
  readonly #observe: StoreObserver;
  #closing: Promise<void> | undefined;

  constructor(store: DataStore, observe: StoreObserver = () => undefined) {
    this.#store = store;
    this.#observe = observe;
  }

  /** The store reads exactly `size` bytes, or its source fails. */
  put(source: Readable, size: number): Promise<string> {
    const put = this.#call('put', async () => {
      const counted = new ExactSize(size);
      // Closed by its owner, not in consequence of what the store does.
      let isAbandoned = source.destroyed;
      source.once('close', () => (isAbandoned ||= !source.readableEnded && !counted.destroyed));
      const failure = pipeline(source, counted).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      try {
        return await this.#store.put(counted, size);
      } catch (err) {
        counted.destroy();
        // The store only knows that its stream has broken.
        const ofSource = await failure;
        if (ofSource instanceof CatalogueError) throw ofSource;
        if (isAbandoned && isPrematureClose(ofSource))
          throw new CatalogueError('IncompleteBody', undefined, { cause: err });
        throw err;
      }
    });
    return put.finally(() => source.destroy());
  }

  stat(key: string): Promise<number> {
    return this.#call('stat', () => this.#store.stat(checked(key)));
  }

  get(key: string, range?: ByteRange): Promise<Readable> {
    return this.#call('get', () => this.#store.get(checked(key), range));
  }

  delete(key: string): Promise<void> {
    return this.#call('delete', () => this.#store.delete(checked(key)));
  }

  diskUsage(): Promise<DiskUsage> {
    return this.#call('diskUsage', () => this.#store.diskUsage());
  }

  ping(): Promise<void> {
    return this.#call('ping', () => this.#store.ping());
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#store.close());
  }

  async #call<T>(operation: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    const tell = (outcome: string): void => {
      this.#observe(operation, outcome, (performance.now() - started) / 1000);
    };
    try {
      if (this.#closing !== undefined)
        throw new CatalogueError('ServiceUnavailable', 'the store has been closed');
      const result = await work();
      tell('ok');
      return result;
    } catch (err) {
      const named = toCatalogueError(err);
      tell(named.type);
      throw named;
    }
  }
}

function checked(key: string): string {
  if (key.length > 0 && key.length <= MAX_KEY_LENGTH) return key;
  throw new CatalogueError('ObjNotFound');
}

function isPrematureClose(err: unknown): boolean {
  return err instanceof Error && 'code' in err && err.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
