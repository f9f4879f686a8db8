import type { KeyRange, StoredItem } from '../metadata-client.js';
import { afterPrefix } from './key-bounds.js';

/** Entries that are read and dropped, before it is cheaper to hang up and start again behind them. */
export const READ_PAST = 100;

export type ReadRange = (range: KeyRange) => AsyncIterable<StoredItem>;

/** Entries of a database in order, with a way past those that begin with a prefix. */
export class SkippingReader {
  readonly #read: ReadRange;
  readonly #range: KeyRange;
  #entries: AsyncIterator<StoredItem>;
  #peeked: StoredItem | undefined;
  #skipped: string | undefined;
  #passed = 0;

  constructor(read: ReadRange, range: KeyRange) {
    this.#read = read;
    this.#range = range;
    this.#entries = read(range)[Symbol.asyncIterator]();
  }

  /** Entries from here on that begin with `prefix` are left out. Replaces the prefix that was set before. */
  skipPrefix(prefix: string): void {
    this.#skipped = prefix;
    this.#passed = 0;
  }

  /** The next entry, which stays the next one; `undefined` at the end. */
  async peek(): Promise<StoredItem | undefined> {
    this.#peeked ??= await this.#take();
    return this.#peeked;
  }

  /** The next entry; `undefined` at the end. */
  async next(): Promise<StoredItem | undefined> {
    const peeked = this.#peeked;
    this.#peeked = undefined;
    if (peeked && !this.#isSkipped(peeked)) return peeked;
    return this.#take();
  }

  async close(): Promise<void> {
    await this.#entries.return?.();
  }

  #isSkipped({ key }: StoredItem): boolean {
    return this.#skipped !== undefined && key.startsWith(this.#skipped);
  }

  async #take(): Promise<StoredItem | undefined> {
    for (;;) {
      const entry = await this.#entries.next();
      if (entry.done) return undefined;
      if (!this.#isSkipped(entry.value)) return entry.value;
      this.#passed += 1;
      if (this.#passed >= READ_PAST && !(await this.#restart())) return undefined;
    }
  }

  /** Starts again behind the skipped prefix; `false` when nothing can be there. */
  async #restart(): Promise<boolean> {
    const from = afterPrefix(this.#skipped ?? '');
    await this.close();
    if (from === undefined) return false;
    const { lt } = this.#range;
    this.#entries = this.#read(lt === undefined ? { gte: from } : { gte: from, lt })[Symbol.asyncIterator]();
    this.#passed = 0;
    return true;
  }
}
