/** The store as an abstract-leveldown: callbacks, and keys and values as callers have them. */
import { silentLogger, type Logger } from '@zenko-modules/common/logger';
import type { MongoClient, ReadPreferenceMode } from 'mongodb';
import {
  AbstractLevelDOWN,
  type Callback,
  type IteratorOptions,
  type RangeOptions,
} from '../abstract-leveldown.js';
import type { LevelDown, OwnerWatcher } from '../plugin.js';
import type { Bounds } from './data-reader.js';
import { EntrySizes } from './entry-sizes.js';
import { toLevelError, unavailable } from './errors.js';
import { MongoIterator } from './iterator.js';
import { encodeKey } from './key-encoding.js';
import type { JournalOperation } from './journal-entry.js';
import { JournaledCollection } from './journaled-collection.js';
import { DEFAULT_LEASE_MS } from './mongodown-settings.js';

export interface MongoDownOptions {
  /** Connection string; credentials and TLS as the driver takes them. */
  readonly url: string;
  readonly database: string;
  /** First part of the collections' names. */
  readonly collection: string;
  /** Members that answer reads. Default `primary`. */
  readonly readPreference?: ReadPreferenceMode;
  /** Time within which a call succeeds or fails, in milliseconds. Default 4000. */
  readonly timeoutMs?: number;
  /** Silence after which a connection with a command under way is given up. Default 30,000. */
  readonly socketTimeoutMs?: number;
  /** Silence of an owner after which others may take over. Default 2500. */
  readonly leaseMs?: number;
  /** When another process owns the store: `refuse` (default) makes `open` fail, `wait` makes it wait. */
  readonly inUse?: 'refuse' | 'wait';
  /** False: whoever opens it cannot be told to wait, and the message of a refusal does not say so. */
  readonly canStandBy?: boolean | undefined;
  readonly log?: Logger;
  /** Given the driver's client before it connects, for its events. */
  readonly onClient?: (client: MongoClient) => void;
}

interface OpenOptions {
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
}

/** Bounds as callers give them; what is `null` is none. */
type Bound = Bytes | null | undefined;

type Bytes = Buffer | string;
type Batch =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'del'; readonly key: Bytes };

const MANIFEST = {
  bufferKeys: true,
  /** See MongoIterator for what an iterator promises instead. */
  snapshots: false,
  permanence: true,
  seek: true,
  clear: true,
  getMany: true,
  createIfMissing: true,
  errorIfExists: true,
};
/** Keys that one batch of `clear` deletes. */
const CLEAR_PAGE = 1000;

/** An iterator that may hold no more than this reads no page ahead, and small ones. */
const AHEAD_BYTES = 64 * 1024;
const PAGE_BYTES = 4 * 1024 * 1024;
const LITTLE_PAGE_BYTES = 256 * 1024;

export class MongoDown extends AbstractLevelDOWN implements LevelDown {
  readonly #options: MongoDownOptions;
  #store: JournaledCollection | undefined;
  #watch: { readonly address: string; readonly watcher: OwnerWatcher } | undefined;
  #opening: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  /** Ids under which this object owned the store and could not tell the server that it gave it up. */
  readonly #formerIds = new Set<string>();
  readonly #sizes = new EntrySizes();

  constructor(options: MongoDownOptions) {
    super(MANIFEST);
    this.#options = options;
  }

  get waitsForOwner(): boolean {
    return this.#options.inUse === 'wait';
  }

  watchOwner(address: string, watcher: OwnerWatcher): void {
    this.#watch = { address, watcher };
  }

  /** Resolves when a majority of the servers takes writes now; rejects with the reason. */
  async ping(): Promise<void> {
    await this.#opened().ping();
  }

  abortOpen(): void {
    this.#opening?.abort.abort(unavailable('the store is not opened: it is no longer wanted'));
  }

  _open(options: OpenOptions, callback: Callback): void {
    const abort = new AbortController();
    const done = JournaledCollection.open({
      readPreference: 'primary',
      timeoutMs: 4000,
      socketTimeoutMs: 30_000,
      leaseMs: DEFAULT_LEASE_MS,
      inUse: 'refuse',
      canStandBy: true,
      log: silentLogger(),
      onClient: undefined,
      ...this.#options,
      ...this.#watch,
      createIfMissing: options.createIfMissing,
      errorIfExists: options.errorIfExists,
      formerIds: this.#formerIds,
      signal: abort.signal,
    }).then(store => {
      this.#store = store;
    });
    this.#opening = { abort, done };
    settle(done, callback);
  }

  /** Also ends an `open` that still waits for the owner of the store. */
  _close(callback: Callback): void {
    settle(this.#close(), callback);
  }

  _serializeKey(key: { toString(): string } | null | undefined): Bytes | null | undefined {
    return serialize(key);
  }

  _serializeValue(value: { toString(): string }): Bytes | null | undefined {
    return serialize(value);
  }

  _get(key: Bytes, { asBuffer }: { asBuffer: boolean }, callback: Callback<[value: Bytes]>): void {
    answer(this.#getOne(encodeKey(key), asBuffer), callback);
  }

  _getMany(
    keys: Bytes[],
    { asBuffer }: { asBuffer: boolean },
    callback: Callback<[values: (Bytes | undefined)[]]>,
  ): void {
    answer(
      this.#get(keys.map(encodeKey)).then(values => values.map(value => value && asWanted(value, asBuffer))),
      callback,
    );
  }

  _put(key: Bytes, value: Bytes, _options: object, callback: Callback): void {
    this.#write([{ type: 'put', key, value }], callback);
  }

  _del(key: Bytes, _options: object, callback: Callback): void {
    this.#write([{ type: 'del', key }], callback);
  }

  /** Always durable, with `sync` and without. */
  _batch(batch: readonly Batch[], _options: object, callback: Callback): void {
    if (batch.length === 0) process.nextTick(callback);
    else this.#write(batch, callback);
  }

  /** Deletes a range in batches, each of them atomic. */
  _clear(options: RangeOptions<Bound>, callback: Callback): void {
    settle(this.#clear(options), callback);
  }

  _iterator({ gt, gte, lt, lte, ...settings }: IteratorOptions<Bound>): MongoIterator {
    const store = this.#opened();
    const readAhead = (settings.highWaterMark ?? Infinity) >= AHEAD_BYTES;
    const pageBytes = readAhead ? PAGE_BYTES : LITTLE_PAGE_BYTES;
    const bounds = boundsOf({ gt, gte, lt, lte });
    const pages = { ...settings, bounds, readAhead, pageBytes, sizes: this.#sizes };
    return new MongoIterator(this, pages, request => store.page(request));
  }

  async #close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    opening?.abort.abort(unavailable('the store is closed'));
    await opening?.done.catch((err: unknown) => err);
    const store = this.#store;
    this.#store = undefined;
    if (store === undefined) return;
    if (await store.close()) this.#formerIds.clear();
    else this.#formerIds.add(store.ownerId);
  }

  async #getOne(id: string, asBuffer: boolean): Promise<Bytes> {
    const [value] = await this.#get([id]);
    if (value === undefined) throw new Error('NotFound');
    return asWanted(value, asBuffer);
  }

  async #get(ids: readonly string[]): Promise<(Buffer | undefined)[]> {
    return this.#opened().get(ids);
  }

  #write(batch: readonly Batch[], callback: Callback): void {
    // Taken down at once: the caller may change its Buffers when this has returned.
    const written = (async () => this.#opened().write(batch.map(operationOf)))();
    settle(written, callback);
  }

  async #clear({ reverse, limit, ...range }: RangeOptions<Bound>): Promise<void> {
    const store = this.#opened();
    let left = limit < 0 ? Infinity : limit;
    let bounds: Bounds | undefined = boundsOf(range);
    while (bounds !== undefined && left > 0) {
      const page = await store.page({ bounds, reverse, limit: Math.min(CLEAR_PAGE, left), values: false });
      const keys = page.entries.slice(0, left);
      if (keys.length > 0) await store.write(keys.map(([key]) => ({ type: 'del', key })));
      left -= keys.length;
      bounds = page.rest;
    }
  }

  #opened(): JournaledCollection {
    if (this.#store === undefined) throw unavailable('the store is not open');
    return this.#store;
  }
}

/** Callbacks run outside of the promise, so that what they throw is not lost in it. */
function settle(work: Promise<void>, callback: Callback): void {
  work.then(
    () => process.nextTick(callback),
    (err: unknown) => process.nextTick(callback, toLevelError(err)),
  );
}

function answer<T>(work: Promise<T>, callback: Callback<[T]>): void {
  work.then(
    value => process.nextTick(callback, null, value),
    (err: unknown) => process.nextTick(callback, toLevelError(err)),
  );
}

/** Buffers as they are, other keys and values as text, as leveldown has it. What is missing is no bound. */
function serialize(value: { toString(): string } | null | undefined): Bytes | null | undefined {
  if (value === null || value === undefined || Buffer.isBuffer(value)) return value;
  return value.toString();
}

function operationOf(operation: Batch): JournalOperation {
  const key = encodeKey(operation.key);
  if (operation.type === 'del') return { type: 'del', key };
  const { value } = operation;
  return { type: 'put', key, value: typeof value === 'string' ? Buffer.from(value, 'utf8') : value };
}

/** The empty key sorts before every other, and is none itself. */
function boundsOf({ gt, gte, lt, lte }: Partial<RangeOptions<Bound>>): Bounds {
  const [above, from, below, upTo] = [gt, gte, lt, lte].map(bound =>
    isBound(bound) ? encodeKey(bound) : undefined,
  );
  const lower =
    from === undefined ? (above === undefined ? {} : { gt: above }) : from === '' ? {} : { gte: from };
  const upper =
    upTo === undefined
      ? below === undefined
        ? {}
        : { lt: below }
      : upTo === ''
        ? { lt: upTo }
        : { lte: upTo };
  return { ...lower, ...upper };
}

function isBound(bound: Bound): bound is Bytes {
  return bound !== null && bound !== undefined;
}

function asWanted(value: Buffer, asBuffer: boolean): Bytes {
  return asBuffer ? value : value.toString('utf8');
}
