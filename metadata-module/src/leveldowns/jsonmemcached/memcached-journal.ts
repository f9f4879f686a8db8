/** A journal in memcached that is open for appending. */
import { MemcachedError, type MemcachedErrorCode } from '@zenko-modules/common/memcached/memcached-error';
import type { JsonJournal } from '../jsondown/storage.js';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { ITEM_BYTES, type Items } from './items.js';
import type { JournalItems } from './journal-items.js';

/** Items whose presence one `check` makes sure of, in turn. */
const KEYS_PER_CHECK = 64;
/** As large as a line with a change of an object, for which there is to be room before the first one was written. */
const LINE_BYTES = 4096;

export interface MemcachedJournalOptions {
  readonly items: Items;
  readonly journal: JournalItems;
  readonly bytes: number;
  /** Tells this process's items from those of another one. */
  readonly writer: string;
  /** Every item that the store consists of at the moment. */
  readonly keys: () => readonly string[];
  /** Ends all writing by this process. */
  readonly fence: () => LevelError;
}

export class MemcachedJournal implements JsonJournal {
  readonly #options: MemcachedJournalOptions;
  #bytes: number;
  #usable = true;
  #checked = 0;
  /** Of the last line, up to an item, or of one for which there was no room. */
  #triedBytes = LINE_BYTES;

  constructor(options: MemcachedJournalOptions) {
    this.#options = options;
    this.#bytes = options.bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get usable(): boolean {
    return this.#usable;
  }

  async append(line: string): Promise<void> {
    const { items, journal, writer } = this.#options;
    if (!this.#usable) throw unavailable(`${journal.key} cannot be written since an earlier failure`);
    const bytes = Buffer.from(line);
    try {
      if (!(await journal.append(bytes))) throw this.#fenced();
    } catch (err) {
      this.#usable = isRefusal(err);
      if (isFull(err)) this.#triedBytes = bytes.length;
      throw err;
    }
    try {
      if (!(await journal.writeHead(writer))) throw unavailable(items.missing(journal.key));
    } catch (err) {
      this.#usable = false;
      if (isFull(err)) this.#triedBytes = bytes.length;
      if (isRefusal(err)) await this.#takeBack();
      throw err;
    }
    this.#bytes += bytes.length + 1;
    this.#triedBytes = Math.min(bytes.length, ITEM_BYTES);
  }

  async check(): Promise<void> {
    const { items, journal, writer } = this.#options;
    const head = await journal.head();
    if (head === undefined) throw this.#lost(journal.key);
    if (head.writer !== writer) throw this.#fenced();
    if (head.lines !== journal.lines) await journal.writeHead(writer);
    const keys = this.#options.keys();
    const from = this.#checked >= keys.length ? 0 : this.#checked;
    this.#checked = from + KEYS_PER_CHECK;
    const some = keys.slice(from, this.#checked);
    const there = await Promise.all(some.map(key => items.touch(key)));
    const missing = some.filter((_, index) => there[index] === false);
    // A journal or snapshot that was replaced meanwhile has been deleted.
    const needed = new Set(this.#options.keys());
    const lost = missing.find(key => needed.has(key));
    if (lost !== undefined) throw this.#lost(lost);
    await journal.tryRoom(this.#triedBytes, writer);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** A line that the head cannot count is removed again, which takes no memory. */
  async #takeBack(): Promise<void> {
    await this.#options.journal.removeLast();
    this.#usable = true;
  }

  #lost(key: string): LevelError {
    this.#usable = false;
    return unavailable(this.#options.items.missing(key));
  }

  #fenced(): LevelError {
    this.#usable = false;
    return this.#options.fence();
  }
}

/** Whether the server answered that it stores nothing: it is full, or the item is too large for it. */
function isRefusal(err: unknown): boolean {
  const code = codeOf(err);
  return code === 'OUT_OF_MEMORY' || code === 'TOO_LARGE';
}

function isFull(err: unknown): boolean {
  return codeOf(err) === 'OUT_OF_MEMORY';
}

function codeOf(err: unknown): MemcachedErrorCode | undefined {
  const cause = err instanceof LevelError ? err.cause : undefined;
  return cause instanceof MemcachedError ? cause.code : undefined;
}

function unavailable(message: string): LevelError {
  return new LevelError(LEVEL_ERRORS.unavailable, message);
}
