/**
 * jsondown: an abstract-leveldown 7 store that a person can read. Everything is in memory; a folder holds
 * one JSON file of all entries and the journal of what came since. For trying and debugging: as large as
 * memory is, opened by reading everything.
 */
import { silentLogger, type Logger } from '@zenko-modules/common/logger';
import type { LevelDown } from '../plugin.js';
import {
  AbstractLevelDOWN,
  type Callback,
  type IteratorOptions,
  type RangeOptions,
} from '../abstract-leveldown.js';
import { toBuffer, toBytes, toText, type Bytes } from './bytes.js';
import { FolderStorage } from './folder-storage.js';
import type { MapOperation } from './journal-format.js';
import { JsonIterator, RangeCursor } from './json-iterator.js';
import { JournaledMap } from './journaled-map.js';
import { SortedMap } from './sorted-map.js';
import type { JsonStorage } from './storage.js';

/** `clear` removes so many keys at a time. */
const KEYS_PER_CLEAR = 10_000;

export interface JsonDownOptions {
  /** The journal's size in bytes from which a new snapshot is written, once it is larger than the last one too. */
  readonly journalMinBytes?: number;
  /** Told of what was mended after a crash, and of snapshots that could not be written. */
  readonly log?: Logger;
}

interface OpenOptions {
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
}
interface ReadOptions {
  readonly asBuffer: boolean;
}
interface WriteOptions {
  readonly sync?: boolean;
}

export class JsonDown extends AbstractLevelDOWN implements LevelDown {
  readonly #storage: JsonStorage;
  readonly #options: Required<JsonDownOptions>;
  #store: JournaledMap | undefined;
  /** Opening and closing come one after the other, whatever the order of the calls. */
  #lifecycle: Promise<void> = Promise.resolve();

  /** A store in a folder, made by `open` if it is missing, or in another storage. */
  constructor(place: string | JsonStorage, { journalMinBytes = 2 ** 20, log }: JsonDownOptions = {}) {
    super({
      bufferKeys: true,
      snapshots: true,
      permanence: true,
      seek: true,
      clear: true,
      getMany: true,
      createIfMissing: true,
      errorIfExists: true,
    });
    this.#storage = typeof place === 'string' ? new FolderStorage(place) : place;
    this.#options = { journalMinBytes, log: log ?? silentLogger() };
  }

  /** Resolves when a write would be possible now; rejects with the reason. */
  async ping(): Promise<void> {
    await this.#opened().ping();
  }

  _open({ createIfMissing, errorIfExists }: OpenOptions, callback: Callback): void {
    this.#inTurn(async () => {
      this.#store ??= await JournaledMap.open(this.#storage, {
        ...this.#options,
        createIfMissing,
        errorIfExists,
      });
    }, callback);
  }

  _close(callback: Callback): void {
    this.#inTurn(async () => {
      const store = this.#store;
      this.#store = undefined;
      await store?.close();
    }, callback);
  }

  _serializeKey(key: unknown): Bytes {
    return key === undefined || key === null ? '' : toBytes(key);
  }

  _serializeValue(value: unknown): Bytes {
    return toBytes(value);
  }

  _get(key: Bytes, { asBuffer }: ReadOptions, callback: Callback<[value: Buffer | string]>): void {
    this.#read(callback, map => {
      const value = map.get(key);
      if (value === undefined) throw new Error('NotFound');
      return output(value, asBuffer);
    });
  }

  _getMany(
    keys: readonly Bytes[],
    { asBuffer }: ReadOptions,
    callback: Callback<[values: (Buffer | string | undefined)[]]>,
  ): void {
    this.#read(callback, map =>
      keys.map(key => {
        const value = map.get(key);
        return value === undefined ? undefined : output(value, asBuffer);
      }),
    );
  }

  _put(key: Bytes, value: Bytes, { sync }: WriteOptions, callback: Callback): void {
    settle(this.#commit([{ type: 'put', key, value }], sync), callback);
  }

  _del(key: Bytes, { sync }: WriteOptions, callback: Callback): void {
    settle(this.#commit([{ type: 'del', key }], sync), callback);
  }

  _batch(operations: readonly MapOperation[], { sync }: WriteOptions, callback: Callback): void {
    settle(this.#commit(operations, sync), callback);
  }

  /** Removes what is in the range at the time of the call, some thousand keys in one batch. */
  _clear(options: RangeOptions<Bytes> & WriteOptions, callback: Callback): void {
    settle(this.#clear(options), callback);
  }

  _iterator(options: IteratorOptions<Bytes>): JsonIterator {
    return new JsonIterator(this, present(this.#opened()), options);
  }

  async #commit(operations: readonly MapOperation[], sync = false): Promise<void> {
    await this.#opened().commit(operations, sync);
  }

  async #clear({ sync, ...range }: RangeOptions<Bytes> & WriteOptions): Promise<void> {
    const entries = new RangeCursor(await present(this.#opened()), range);
    let keys: MapOperation[] = [];
    for (let entry = entries.next(); entry !== undefined; entry = entries.next()) {
      keys.push({ type: 'del', key: entry.key });
      if (keys.length < KEYS_PER_CLEAR) continue;
      await this.#commit(keys, sync);
      keys = [];
    }
    if (keys.length > 0) await this.#commit(keys, sync);
  }

  #opened(): JournaledMap {
    if (this.#store === undefined) throw new Error('Database is not open');
    return this.#store;
  }

  #read<T>(callback: Callback<[T]>, find: (map: SortedMap) => T): void {
    try {
      const map = present(this.#opened());
      if (map instanceof SortedMap) {
        process.nextTick(callback, undefined, find(map));
        return;
      }
      map.then(find).then(
        found => process.nextTick(callback, undefined, found),
        (err: unknown) => process.nextTick(callback, err),
      );
    } catch (err) {
      process.nextTick(callback, err);
    }
  }

  #inTurn(step: () => Promise<void>, callback: Callback): void {
    const turn = this.#lifecycle.then(step);
    // The caller gets the error; the next step is tried all the same.
    this.#lifecycle = turn.catch(() => undefined);
    settle(turn, callback);
  }
}

/** What is stored at this moment; after a failure a promise, kept once it is certain what is stored. */
function present(store: JournaledMap): SortedMap | Promise<SortedMap> {
  if (store.certain) return store.map;
  // One that finds no room for a write has made it certain all the same.
  const made = store.ping().catch((err: unknown) => {
    if (!store.certain) throw err;
  });
  return made.then(() => store.map);
}

function settle(work: Promise<void>, callback: Callback): void {
  work.then(
    () => process.nextTick(callback),
    (err: unknown) => process.nextTick(callback, err),
  );
}

function output(bytes: Bytes, asBuffer: boolean): Buffer | string {
  return asBuffer ? toBuffer(bytes) : toText(bytes);
}
