/**
 * The one place where callbacks of a LevelDOWN become promises and its errors those of the catalogue.
 * Keys and values are well-formed text here, UTF-8 below.
 */
import type { AbstractIterator } from 'abstract-leveldown';
import { CatalogueError } from '@zenko-modules/common/errors';
import { call, closeLevel, isNotFound } from '../leveldowns/level-calls.js';
import { type LevelDown, LEVEL_ERRORS } from '../leveldowns/plugin.js';
import type { ByteRange } from './key-space.js';
import { fromLevelError, levelErrorCode } from './level-errors.js';

export type StoreOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

export interface Entry {
  readonly key: string;
  readonly value: string;
}

export class LevelStore {
  readonly #level: LevelDown;
  readonly #onFenced: (err: Error) => void;
  readonly #iterators = new Set<EntryIterator>();
  #entriesRead = 0;

  private constructor(level: LevelDown, onFenced: (err: Error) => void) {
    this.#level = level;
    this.#onFenced = onFenced;
  }

  /**
   * Opens `level`. Rejects with its own error, for the plug-in to explain.
   * @param onFenced told when another process has taken the store over: this one must end.
   */
  static async open(level: LevelDown, onFenced: (err: Error) => void = () => undefined): Promise<LevelStore> {
    await call(done => level.open(done));
    return new LevelStore(level, onFenced);
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
    return this.#level.status === 'open';
  }

  /** The value under `key`, or `undefined`. */
  async get(key: string): Promise<string | undefined> {
    this.#assertOpen();
    try {
      return await new Promise((resolve, reject) => {
        this.#level.get(key, { asBuffer: false }, (err: Error | null | undefined, value: unknown) => {
          if (err) reject(err);
          else resolve(value as string);
        });
      });
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw this.#translate(err);
    }
  }

  /** All or nothing, and on stable storage when it resolves. Rejects with the LevelDOWN's own error. */
  async batch(operations: readonly StoreOperation[]): Promise<void> {
    this.#assertOpen();
    try {
      await call(done => void this.#level.batch(operations, { sync: true }, done));
    } catch (err) {
      this.#translate(err);
      throw err;
    }
  }

  /** The entries of a range in byte order, as they stand now. It must be read to its end or returned. */
  entries(range: ByteRange): AsyncIterableIterator<Entry> {
    this.#assertOpen();
    const iterator = new EntryIterator(
      this.#level.iterator({ ...range, keyAsBuffer: false, valueAsBuffer: false }),
      {
        onEntry: () => {
          this.#entriesRead += 1;
        },
        onEnd: () => this.#iterators.delete(iterator),
        translate: err => this.#translate(err),
      },
    );
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

  /** Ends every iterator, closes the LevelDOWN and opens it again, whatever state it is in. */
  async reopen(): Promise<void> {
    await this.close();
    try {
      await call(done => this.#level.open(done));
    } catch (err) {
      throw new CatalogueError('ServiceUnavailable', 'the store cannot be opened again', { cause: err });
    }
  }

  /** Ends every iterator and closes the LevelDOWN. What was written stays. */
  async close(): Promise<void> {
    await Promise.all([...this.#iterators].map(iterator => iterator.return()));
    if (this.isOpen) await closeLevel(this.#level);
  }

  #translate(err: unknown): CatalogueError {
    if (err instanceof Error && levelErrorCode(err) === LEVEL_ERRORS.fenced) this.#onFenced(err);
    return fromLevelError(err);
  }

  #assertOpen(): void {
    if (!this.isOpen) throw new CatalogueError('ServiceUnavailable', 'the store is not open');
  }
}

interface IteratorHooks {
  readonly onEntry: () => void;
  readonly onEnd: () => void;
  readonly translate: (err: unknown) => CatalogueError;
}

/** An abstract-leveldown iterator as an async one. `next` may be called while another is under way; they are answered in order. */
class EntryIterator implements AsyncIterableIterator<Entry> {
  readonly #iterator: AbstractIterator<unknown, unknown>;
  readonly #hooks: IteratorHooks;
  #last: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;

  constructor(iterator: AbstractIterator<unknown, unknown>, hooks: IteratorHooks) {
    this.#iterator = iterator;
    this.#hooks = hooks;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Entry, undefined>> {
    const step = this.#last.then(() => this.#step());
    // Who called `next` hears of its failure; `end` only waits for it.
    this.#last = step.catch(() => undefined);
    return step;
  }

  async return(): Promise<IteratorResult<Entry, undefined>> {
    await this.#endAfter(this.#last);
    return { done: true, value: undefined };
  }

  async #step(): Promise<IteratorResult<Entry, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    try {
      const entry = await new Promise<Entry | undefined>((resolve, reject) => {
        this.#iterator.next((err: Error | null | undefined, key: unknown, value: unknown) => {
          if (err) reject(err);
          else resolve(key === undefined ? undefined : { key: key as string, value: value as string });
        });
      });
      if (entry) {
        this.#hooks.onEntry();
        return { done: false, value: entry };
      }
    } catch (err) {
      await this.#endInStep();
      throw this.#hooks.translate(err);
    }
    await this.#endInStep();
    return { done: true, value: undefined };
  }

  /** Who has called `return` meanwhile waits for this very step, and ends the iterator after it. */
  async #endInStep(): Promise<void> {
    if (!this.#ended) await this.#endAfter(Promise.resolve());
  }

  /** A LevelDOWN refuses to end an iterator while `next` is under way. */
  #endAfter(last: Promise<unknown>): Promise<void> {
    this.#ended ??= last
      .then(() => call(done => this.#iterator.end(done)))
      .finally(() => this.#hooks.onEnd());
    return this.#ended;
  }
}
