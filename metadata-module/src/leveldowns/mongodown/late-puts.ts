/** Puts that may come late: README.md, "A command in doubt". */
import type { Logger } from '@zenko-modules/common/logger';
import type { DataDocument, Layout, LateTurns } from './documents.js';
import type { Lease } from './lease.js';

/** Late documents that wait for their removal. More are met again. */
const MAX_REMOVALS = 1000;

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Turns of commands in doubt: greater ones are added, none ever goes. */
export class TurnSet {
  /** Ascending, and never two neighbours. */
  readonly #ranges: Range[];

  constructor(stored: LateTurns = {}) {
    this.#ranges = Object.entries(stored)
      .map(([first, last]) => ({ first: Number(first), last }))
      .sort((a, b) => a.first - b.first);
  }

  /** The greatest, or 0. */
  get last(): number {
    return this.#ranges.at(-1)?.last ?? 0;
  }

  has(turn: number): boolean {
    let [low, high] = [0, this.#ranges.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.last ?? 0) < turn) low = middle + 1;
      else high = middle;
    }
    const range = this.#ranges[low];
    return range !== undefined && range.first <= turn && turn <= range.last;
  }

  /** The range that a turn makes with those before it. */
  rangeWith(turn: number): Range {
    const before = this.#ranges.at(-1);
    return { first: before !== undefined && before.last === turn - 1 ? before.first : turn, last: turn };
  }

  add(turn: number): void {
    const range = this.rangeWith(turn);
    if (this.#ranges.at(-1)?.first === range.first) this.#ranges.pop();
    this.#ranges.push(range);
  }
}

export class LatePuts {
  readonly #data: Layout['data'];
  readonly #lease: Lease;
  readonly #turns: TurnSet;
  readonly #log: Logger;
  /** Late documents that were met: their keys and turns. */
  readonly #met = new Map<string, number>();
  #isRemoving = false;

  constructor(data: Layout['data'], lease: Lease, turns: TurnSet, log: Logger) {
    this.#data = data;
    this.#lease = lease;
    this.#turns = turns;
    this.#log = log;
  }

  /** Notes a turn; a majority has the note when it resolves. Rejects with LevelError `fenced` when the store is another's. */
  async note(turn: number): Promise<void> {
    await this.#lease.noteLate(this.#turns.rangeWith(turn));
    this.#turns.add(turn);
  }

  /** True for a document that came late: it counts for nothing, and is removed, so that nobody meets it again. */
  isLate({ _id, n }: DataDocument): boolean {
    if (n === undefined || !this.#turns.has(n)) return false;
    if (this.#met.size < MAX_REMOVALS) this.#met.set(_id, n);
    if (!this.#isRemoving) void this.#remove();
    return true;
  }

  /** Just these documents: what was put under the same key meanwhile has another turn. */
  async #remove(): Promise<void> {
    this.#isRemoving = true;
    try {
      for (const [_id, n] of this.#met) {
        await this.#data.deleteOne({ _id, n });
        this.#met.delete(_id);
      }
    } catch (err) {
      this.#met.clear();
      this.#log.warn({ err }, 'documents that came late are removed when they are met again');
    }
    this.#isRemoving = false;
  }
}
