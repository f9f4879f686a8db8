import type { KeyRange } from '../metadata-client.js';
import { afterPrefix } from './key-bounds.js';
import type { ListedEntry } from './listed-value.js';

/** Entries that are read and dropped, before it is cheaper to hang up and start again behind them. */
export const READ_PAST = 100;

/** Entries of a range in order, many at once. */
export type ReadRange = (range: KeyRange) => AsyncIterable<readonly ListedEntry[]>;

const NONE: readonly ListedEntry[] = [];

/** Entries of a database in order, with a way past those that begin with a prefix. */
export class SkippingReader {
  readonly #read: ReadRange;
  readonly #range: KeyRange;
  #batches: AsyncIterator<readonly ListedEntry[]>;
  #batch = NONE;
  #at = 0;
  #skipped: string | undefined;
  #passed = 0;

  constructor(read: ReadRange, range: KeyRange) {
    this.#read = read;
    this.#range = range;
    this.#batches = read(range)[Symbol.asyncIterator]();
  }

  /** Entries from here on that begin with `prefix` are left out. Replaces the prefix that was set before. */
  skipPrefix(prefix: string): void {
    this.#skipped = prefix;
    this.#passed = 0;
  }

  /** The next entry, which stays the next one; `undefined` when it must be waited for. Costs no turn, for readers of many. */
  atHand(): ListedEntry | undefined {
    for (let item = this.#batch[this.#at]; item !== undefined; item = this.#batch[++this.#at]) {
      if (this.#skipped === undefined || !item.key.startsWith(this.#skipped)) return item;
      this.#passed += 1;
      if (this.#passed >= READ_PAST) return undefined;
    }
    return undefined;
  }

  /** The next entry, which stays the next one; `undefined` at the end. */
  async peek(): Promise<ListedEntry | undefined> {
    for (;;) {
      const item = this.atHand();
      if (item !== undefined) return item;
      if (this.#passed >= READ_PAST) {
        if (!(await this.#restart())) return undefined;
        continue;
      }
      const next = await this.#batches.next();
      if (next.done === true) return undefined;
      this.#batch = next.value;
      this.#at = 0;
    }
  }

  /** The next entry; `undefined` at the end. */
  async next(): Promise<ListedEntry | undefined> {
    const item = await this.peek();
    if (item !== undefined) this.pass();
    return item;
  }

  /** Goes on behind the entry that `atHand` or `peek` has shown. */
  pass(): void {
    this.#at += 1;
  }

  async close(): Promise<void> {
    this.#batch = NONE;
    this.#at = 0;
    await this.#batches.return?.();
  }

  /** Starts again behind the skipped prefix; `false` when nothing can be there. */
  async #restart(): Promise<boolean> {
    const from = afterPrefix(this.#skipped ?? '');
    await this.close();
    this.#passed = 0;
    if (from === undefined) return false;
    const { lt } = this.#range;
    this.#batches = this.#read(lt === undefined ? { gte: from } : { gte: from, lt })[Symbol.asyncIterator]();
    return true;
  }
}
