/** An abstract-leveldown iterator as an async one that never takes an early end for the end of its range. */
import type { AbstractIterator } from 'abstract-leveldown';
import type { CatalogueError } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import { fromLevelError } from './level-errors.js';

export interface TextEntry {
  readonly key: string;
  readonly value: string;
}

export interface IteratorHooks {
  readonly onEntry: () => void;
  /** Called once, when the LevelDOWN holds nothing for the iterator any more. */
  readonly onEnd: () => void;
  readonly translate: (err: unknown) => CatalogueError;
  /** See `LevelDown.takeAhead`. */
  readonly takeAhead: (iterator: AbstractIterator<unknown, unknown>) => string[];
}

/**
 * `next` may be called while another is under way; they are answered in order. It says `done` at the end of
 * the range, or when the reader has returned, and at no other time: an iterator that the store had to end
 * rejects with ServiceUnavailable, whose cause is a LEVEL_ITERATOR_ENDED.
 */
export class EntryIterator implements AsyncIterableIterator<TextEntry> {
  readonly #iterator: AbstractIterator<unknown, unknown>;
  readonly #hooks: IteratorHooks;
  /** Read already: keys and values in turn, the next key last. */
  #ahead: string[] = [];
  /** Steps that are under way. */
  #steps = 0;
  #last: Promise<unknown> = Promise.resolve();
  #ended: Promise<void> | undefined;
  #interruption: CatalogueError | undefined;
  #abandoned = false;
  /** Settles the call of the LevelDOWN that is under way. */
  #giveUp: (() => void) | undefined;
  /** What is being read before somebody asks for it. */
  #reading: Promise<TextEntry | undefined> | undefined;

  constructor(iterator: AbstractIterator<unknown, unknown>, hooks: IteratorHooks) {
    this.#iterator = iterator;
    this.#hooks = hooks;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<TextEntry, undefined>> {
    const value = this.atHand();
    if (value) return Promise.resolve({ done: false, value });
    this.#steps += 1;
    const step = this.#last.then(() => this.#step());
    // Who called `next` hears of its failure; `end` only waits for it.
    this.#last = step.catch(() => undefined);
    return step;
  }

  /** The next entry if it was read already, and nobody waits for one before it. */
  atHand(): TextEntry | undefined {
    if (this.#steps > 0 || this.#ended !== undefined) return undefined;
    return this.#pop();
  }

  async return(): Promise<IteratorResult<TextEntry, undefined>> {
    await this.#endAfter(this.#last);
    return { done: true, value: undefined };
  }

  /** Ends it before its reader does, who is told so by the next step. Resolves when the LevelDOWN's iterator has ended. */
  interrupt(): Promise<void> {
    if (this.#ended === undefined) {
      const message = 'the store was closed while it was being read: what was read is not all';
      this.#interruption = fromLevelError(new LevelError(LEVEL_ERRORS.iteratorEnded, message));
    }
    return this.#endAfter(this.#last);
  }

  /** Waits no longer for a LevelDOWN that is closed and does not call back. */
  abandon(): void {
    this.#abandoned = true;
    this.#giveUp?.();
  }

  async #step(): Promise<IteratorResult<TextEntry, undefined>> {
    try {
      return await this.#nextStep();
    } finally {
      this.#steps -= 1;
    }
  }

  async #nextStep(): Promise<IteratorResult<TextEntry, undefined>> {
    this.#assertWhole();
    if (this.#ended) return { done: true, value: undefined };
    try {
      const entry = this.#pop() ?? (await this.#nextRead());
      if (entry) return { done: false, value: entry };
    } catch (err) {
      await this.#endInStep();
      this.#assertWhole();
      throw this.#hooks.translate(err);
    }
    await this.#endInStep();
    // A LevelDOWN that was closed meanwhile may say that there is no more.
    this.#assertWhole();
    return { done: true, value: undefined };
  }

  /** Throws when the store has ended it before its reader did. */
  #assertWhole(): void {
    if (this.#interruption) throw this.#interruption;
  }

  /** Whoever has come back for more has the next entries read while he works on these. */
  async #nextRead(): Promise<TextEntry | undefined> {
    const entry = await (this.#reading ?? this.#read());
    this.#reading = undefined;
    if (entry !== undefined) this.#hooks.onEntry();
    this.#ahead = this.#hooks.takeAhead(this.#iterator);
    if (this.#ahead.length > 0 && this.#ended === undefined) {
      this.#reading = this.#read();
      // Whoever asks for it hears of its failure.
      this.#reading.catch(() => undefined);
    }
    return entry;
  }

  #read(): Promise<TextEntry | undefined> {
    return new Promise((resolve, reject) => {
      this.#giveUp = () => reject(new Error('the store is closed'));
      this.#iterator.next((err: Error | null | undefined, key: unknown, value: unknown) => {
        if (err) {
          reject(err);
          return;
        }
        resolve(key === undefined ? undefined : { key: key as string, value: value as string });
      });
    });
  }

  #pop(): TextEntry | undefined {
    const key = this.#ahead.pop();
    const value = this.#ahead.pop();
    if (key === undefined || value === undefined) return undefined;
    this.#hooks.onEntry();
    return { key, value };
  }

  /** Who has called `return` meanwhile waits for this very step, and ends the iterator after it. */
  async #endInStep(): Promise<void> {
    if (!this.#ended) await this.#endAfter(Promise.resolve());
  }

  /** A LevelDOWN refuses to end an iterator while `next` is under way. */
  #endAfter(last: Promise<unknown>): Promise<void> {
    this.#ahead = [];
    const settled = last.then(() => this.#reading).catch(() => undefined);
    this.#ended ??= settled.then(() => this.#end()).finally(() => this.#hooks.onEnd());
    return this.#ended;
  }

  /** A LevelDOWN that was closed has ended its iterators by itself, and may never say so. */
  #end(): Promise<void> {
    if (this.#abandoned) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#giveUp = resolve;
      this.#iterator.end(err => {
        if (err) reject(err);
        else resolve();
      });
    });
  }
}
