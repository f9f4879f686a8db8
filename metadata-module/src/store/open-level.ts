/**
 * The one place where callbacks of a LevelDOWN become promises and its errors those of the catalogue.
 * Keys and values are well-formed text here, UTF-8 below.
 *
 * Closing comes first: from the moment in which it begins no call reaches the LevelDOWN any more. Calls that
 * are under way are waited for and iterators are ended, both before the LevelDOWN is told to close: what
 * leveldown ends by itself it never calls back for.
 */
import type { AbstractIterator } from 'abstract-leveldown';
import { DeadlineError, withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError } from '@zenko-modules/common/errors';
import { call, closeLevel } from '../leveldowns/level-calls.js';
import { type LevelDown, LEVEL_ERRORS } from '../leveldowns/plugin.js';
import { EntryIterator } from './entry-iterator.js';
import { JointReader } from './joint-reader.js';
import type { ByteRange } from './key-space.js';
import { fromLevelError, levelErrorCode } from './level-errors.js';
import { ValueCache } from './value-cache.js';

export type { TextEntry } from './entry-iterator.js';

export type TextOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

/** Only `open` lets calls through to the LevelDOWN. */
export type StoreStatus = 'open' | 'closing' | 'closed' | 'opening';

export interface OpenLevelOptions {
  /** Told when this process has lost the store, to another one say, and must end. */
  readonly onLost?: (err: Error) => void;
  /** How long a LevelDOWN may take for a batch: one that never answers must be looked after by a supervisor. */
  readonly batchMs?: number;
  /** How long a LevelDOWN may take to close, and to open again. */
  readonly stepMs?: number;
  /** How long calls that are under way are waited for before the LevelDOWN is closed all the same. */
  readonly drainMs?: number;
  /** Memory for values that were read, of a LevelDOWN that only this process changes. None without it. */
  readonly cacheBytes?: number;
}

/** About what leveldown reads at once for an iterator, which holds twice as much. Each trip to its thread costs as much as some dozen entries. */
const READ_AHEAD_BYTES = 128 * 1024;
/** When more iterators than so many are open, those that come after read less ahead: it is kept for all of them. */
const MANY_ITERATORS = 64;
const LITTLE_AHEAD_BYTES = 16 * 1024;

const DEFAULTS = {
  onLost: () => undefined,
  batchMs: 60_000,
  stepMs: 20_000,
  drainMs: 5000,
  cacheBytes: 0,
} as const;

export class OpenLevel {
  readonly #level: LevelDown;
  readonly #reader: JointReader;
  readonly #cache: ValueCache | undefined;
  readonly #options: Required<OpenLevelOptions>;
  readonly #iterators = new Set<EntryIterator>();
  readonly #underWay = new Set<Promise<unknown>>();
  #status: StoreStatus = 'open';
  /** What the LevelDOWN was told last and has not answered: it is never told two things at once. */
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #reopening: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #entriesRead = 0;

  private constructor(level: LevelDown, options: OpenLevelOptions) {
    this.#level = level;
    this.#reader = new JointReader(level);
    this.#options = { ...DEFAULTS, ...options };
    const { cacheBytes } = this.#options;
    if (cacheBytes > 0 && level.soleOwner === true) this.#cache = new ValueCache(cacheBytes);
  }

  /** Opens `level`. Rejects with its own error, for the plug-in to explain. */
  static async open(level: LevelDown, options: OpenLevelOptions = {}): Promise<OpenLevel> {
    await call(done => level.open(done));
    return new OpenLevel(level, options);
  }

  /** Iterators that have not ended yet. */
  get openIterators(): number {
    return this.#iterators.size;
  }

  /** Entries that iterators have handed out since the start. */
  get entriesRead(): number {
    return this.#entriesRead;
  }

  get isOpen(): boolean {
    return this.#status === 'open';
  }

  /** The value under `key` if it is at hand, and nobody need wait for it. */
  known(key: string): string | undefined {
    return this.isOpen ? this.#cache?.get(key) : undefined;
  }

  /** The value under `key`, or `undefined`. */
  async get(key: string): Promise<string | undefined> {
    this.#assertOpen();
    const known = this.#cache?.get(key);
    if (known !== undefined) return known;
    const reading = this.#cache?.begin(key);
    let value: string | undefined;
    try {
      value = await this.#track(this.#reader.get(key));
      return value;
    } catch (err) {
      throw this.#translate(err);
    } finally {
      if (reading !== undefined) this.#cache?.end(key, reading, value);
    }
  }

  /** All or nothing, and on stable storage when it resolves. Rejects with the LevelDOWN's own error. */
  async batch(operations: readonly TextOperation[]): Promise<void> {
    this.#assertOpen();
    const onWritten = this.#cache?.write(operations.map(({ key }) => key));
    const written = this.#track(
      call(done => void this.#level.batch(operations, { sync: true }, done)).finally(onWritten),
    );
    try {
      await withDeadline(written, this.#options.batchMs, 'a batch of the store');
    } catch (err) {
      if (err instanceof DeadlineError) this.#options.onLost(err);
      this.#translate(err);
      throw err;
    }
  }

  /**
   * The entries of a range in byte order, as they stand now. It must be read to its end or returned. When the
   * store is closed meanwhile it rejects: `done` always means that this was all.
   */
  entries(range: ByteRange): EntryIterator {
    this.#assertOpen();
    const iterator = new EntryIterator(this.#iterate(range), {
      onEntry: () => {
        this.#entriesRead += 1;
      },
      onEnd: () => this.#iterators.delete(iterator),
      translate: err => this.#translate(err),
      takeAhead: of => this.#level.takeAhead?.(of) ?? [],
    });
    this.#iterators.add(iterator);
    return iterator;
  }

  /** Resolves when the backend can take a write now. */
  async ping(): Promise<void> {
    this.#assertOpen();
    try {
      await this.#level.ping?.();
    } catch (err) {
      throw this.#translate(err);
    }
  }

  /**
   * Closes the LevelDOWN and opens it again, whatever state it is in. It may be tried again when it rejects,
   * also while the LevelDOWN still works on what took it too long.
   */
  reopen(): Promise<void> {
    this.#reopening ??= this.#openAgain().finally(() => {
      this.#reopening = undefined;
    });
    return this.#reopening;
  }

  /**
   * Closes the store for good. What was written stays.
   * @param isLost another process owns it: nothing that is under way is waited for
   */
  close({ isLost = false }: { readonly isLost?: boolean } = {}): Promise<void> {
    if (this.#status === 'opening') this.#level.abortOpen?.();
    const shut = (): Promise<void> => this.#shut(isLost ? 0 : undefined);
    this.#closed ??= this.#reopening ? this.#reopening.then(shut, shut) : shut();
    return this.#closed;
  }

  #iterate(range: ByteRange): AbstractIterator<unknown, unknown> {
    try {
      const highWaterMark = this.#iterators.size < MANY_ITERATORS ? READ_AHEAD_BYTES : LITTLE_AHEAD_BYTES;
      return this.#level.iterator({ ...range, highWaterMark, keyAsBuffer: false, valueAsBuffer: false });
    } catch (err) {
      throw this.#translate(err);
    }
  }

  async #openAgain(): Promise<void> {
    try {
      await this.#shut();
      if (this.#closed) throw new Error('it is closed for good');
      this.#status = 'opening';
      await this.#open();
      this.#status = 'open';
    } catch (err) {
      if (this.#status === 'opening' && this.#opening === undefined) this.#status = 'closed';
      throw new CatalogueError('ServiceUnavailable', 'the store cannot be opened again', { cause: err });
    }
  }

  /** From its first moment on nothing new reaches the LevelDOWN. */
  async #shut(drainMs?: number): Promise<void> {
    if (this.#status === 'closed') return;
    this.#status = 'closing';
    // A batch that failed may come to be applied when it is opened again.
    this.#cache?.clear();
    await this.#drain(drainMs);
    await this.#endOpening();
    await this.#closeLevel();
    for (const iterator of this.#iterators) iterator.abandon();
    this.#status = 'closed';
  }

  async #drain(drainMs = this.#options.drainMs): Promise<void> {
    const ended = [...this.#iterators].map(iterator => iterator.interrupt());
    await withDeadline(
      Promise.allSettled([...ended, ...this.#underWay]),
      drainMs,
      'what was under way',
    ).catch(() => undefined); // leveldown waits for it by itself; another store must bear it
  }

  #open(): Promise<void> {
    this.#opening = call(done => this.#level.open(done)).finally(() => {
      this.#opening = undefined;
    });
    return withDeadline(this.#opening, this.#options.stepMs, 'opening the store');
  }

  /** Waits for an `open` that took too long before, however it ends. */
  async #endOpening(): Promise<void> {
    const ended = this.#opening?.catch(() => undefined);
    if (ended) await withDeadline(ended, this.#options.stepMs, 'opening the store');
  }

  #closeLevel(): Promise<void> {
    if (this.#closing === undefined && this.#level.status !== 'open') return Promise.resolve();
    this.#closing ??= closeLevel(this.#level).finally(() => {
      this.#closing = undefined;
    });
    return withDeadline(this.#closing, this.#options.stepMs, 'closing the store');
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  #translate(err: unknown): CatalogueError {
    if (err instanceof Error && levelErrorCode(err) === LEVEL_ERRORS.fenced) this.#options.onLost(err);
    return fromLevelError(err);
  }

  #assertOpen(): void {
    if (!this.isOpen) throw new CatalogueError('ServiceUnavailable', `the store is ${this.#status}`);
  }
}
