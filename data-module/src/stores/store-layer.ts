/**
 * The layer over every store, so that stores need not do for themselves what is the same for all: sizes and keys
 * are checked, errors are named, what is closed refuses, and each call is timed. What a store may leave out is
 * made here of what it has.
 */
import { Readable } from 'node:stream';
import { CatalogueError, toCatalogueError } from '@zenko-modules/common/errors';
import type { ByteRange, CheckedKey, ChooseRange, DataStore, DiskUsage, OpenBlob } from '../data-store.js';
import { ExactSource } from './exact-source.js';
import { StreamedBlob } from './open-blobs.js';

/** Told of each call that settled: `outcome` is `ok` or the type of its error. A `get` settles when its first byte can be read. */
export type StoreObserver = (operation: string, outcome: string, seconds: number) => void;

/** A store that has also what is optional. */
export type CompleteStore = Required<DataStore>;

/** Longer keys name no blob, so that a store may make file names or item keys of those that do. */
const MAX_KEY_LENGTH = 128;

const CANNOT_LIST = 'this store cannot list its blobs';

export class StoreLayer implements CompleteStore {
  readonly #store: DataStore;
  readonly #observe: StoreObserver;
  #closing: Promise<void> | undefined;

  constructor(store: DataStore, observe: StoreObserver = () => undefined) {
    this.#store = store;
    this.#observe = observe;
  }

  /** The store reads exactly `size` bytes, or its source fails. */
  async put(source: Readable, size: number): Promise<string> {
    const exact =
      source instanceof ExactSource && source.size === size ? source : new ExactSource(source, size);
    // The store learns of it when it reads.
    exact.on('error', () => undefined);
    try {
      return await this.#call('put', () =>
        this.#store.put(exact, size).catch((err: unknown) => {
          // The store only knows that its stream has broken.
          throw exact.errored instanceof CatalogueError ? exact.errored : err;
        }),
      );
    } finally {
      exact.destroy();
    }
  }

  putSmall(bytes: Buffer): Promise<string> {
    return this.#call('put', () => {
      if (this.#store.putSmall !== undefined) return this.#store.putSmall(bytes);
      return this.#store.put(
        Readable.from(bytes.length > 0 ? [bytes] : [], { objectMode: false }),
        bytes.length,
      );
    });
  }

  stat(key: string): Promise<number> {
    return this.#call('stat', () => this.#store.stat(checked(key)));
  }

  get(key: string, range?: ByteRange): Promise<Readable> {
    return this.#call('get', () => this.#store.get(checked(key), range));
  }

  open(key: string, choose: ChooseRange): Promise<OpenBlob> {
    return this.#call('get', () => {
      if (this.#store.open !== undefined) return this.#store.open(checked(key), choose);
      return this.#openByStream(checked(key), choose);
    });
  }

  openPastCache(key: string): Promise<OpenBlob> {
    const store = this.#store;
    if (store.openPastCache === undefined) return this.open(key, () => undefined);
    const open = store.openPastCache.bind(store);
    return this.#call('get', () => open(checked(key)));
  }

  delete(key: string): Promise<void> {
    return this.#call('delete', () => this.#store.delete(checked(key)));
  }

  /** Rejects with `NotImplemented` where the store cannot tell. */
  keys(): AsyncGenerator<string, void, undefined> {
    return this.#list(store => store.keys?.());
  }

  /** Rejects as `keys` does. */
  checkedKeys(): AsyncGenerator<CheckedKey, void, undefined> {
    return this.#list(store => {
      if (store.checkedKeys !== undefined) return store.checkedKeys();
      const keys = store.keys?.();
      return keys && withoutChecksums(keys);
    });
  }

  async *#list<T>(
    list: (store: DataStore) => AsyncIterable<T> | undefined,
  ): AsyncGenerator<T, void, undefined> {
    const listed = await this.#call('keys', () => {
      const found = list(this.#store);
      if (found === undefined) throw new CatalogueError('NotImplemented', CANNOT_LIST);
      return Promise.resolve(found);
    });
    try {
      yield* listed;
    } catch (err) {
      throw toCatalogueError(err);
    }
  }

  storedAt(key: string): Promise<number> {
    return this.#call('storedAt', () => {
      if (this.#store.storedAt === undefined) throw new CatalogueError('NotImplemented', CANNOT_LIST);
      return this.#store.storedAt(checked(key));
    });
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

  async #openByStream(key: string, choose: ChooseRange): Promise<OpenBlob> {
    const size = await this.#store.stat(key);
    const range = choose(size);
    // A store that knows the end reads no further, and takes no larger buffer than it needs.
    const whole = size === 0 ? undefined : { start: 0, end: size - 1 };
    return new StreamedBlob(size, range, await this.#store.get(key, range ?? whole));
  }

  async #call<T>(operation: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      if (this.#closing !== undefined)
        throw new CatalogueError('ServiceUnavailable', 'the store has been closed');
      const result = await work();
      this.#observe(operation, 'ok', (performance.now() - started) / 1000);
      return result;
    } catch (err) {
      const named = toCatalogueError(err);
      this.#observe(operation, named.type, (performance.now() - started) / 1000);
      throw named;
    }
  }
}

function checked(key: string): string {
  if (key.length > 0 && key.length <= MAX_KEY_LENGTH) return key;
  throw new CatalogueError('ObjNotFound');
}

/** The keys of a store that has no `checkedKeys`. */
export async function* withoutChecksums(
  keys: AsyncIterable<string>,
): AsyncGenerator<CheckedKey, void, undefined> {
  for await (const key of keys) yield { key, checksums: undefined };
}
