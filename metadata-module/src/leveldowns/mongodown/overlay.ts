/** What is acknowledged, but perhaps not in the data yet: README.md, "Reading". */
import type { JournalEntry } from './journal-entry.js';

/** A value, or `null` for a key that was deleted. */
export type OverlayValue = Buffer | null;

export interface Hold {
  /** What the overlay has dropped: every batch up to this number must be visible to the read. */
  readonly floor: number;
  /** False once the overlay has dropped something that the read needs: it must begin again. */
  readonly isValid: boolean;
  release(): void;
}

/** What is kept for reads alone. Beyond it the oldest reads must begin again. */
export interface OverlayLimit {
  readonly operations: number;
  readonly bytes: number;
}
const LIMIT: OverlayLimit = { operations: 20_000, bytes: 64 * 1024 * 1024 };

interface Cell {
  readonly number: number;
  readonly value: OverlayValue;
}

interface Kept {
  readonly number: number;
  readonly keys: readonly string[];
  readonly bytes: number;
}

export class Overlay {
  readonly #cells = new Map<string, Cell>();
  readonly #limit: OverlayLimit;
  /** Floors of the reads under way, in the order in which they began, which is that of their floors. */
  readonly #holds = new Set<Hold>();
  /** Entries that are not dropped yet, ascending. */
  #kept: Kept[] = [];
  /** Every entry up to this number is in the data. */
  #applied: number;
  /** Every entry up to this number is dropped. */
  #floor: number;

  /** @param applied number of the last batch that is in the data */
  constructor(applied: number, limit = LIMIT) {
    this.#applied = applied;
    this.#floor = applied;
    this.#limit = limit;
  }

  /** Keys that it knows. */
  get size(): number {
    return this.#cells.size;
  }

  /** Adds an acknowledged entry, all of it at once. Numbers ascend. */
  commit({ number, operations, bytes }: JournalEntry): void {
    for (const operation of operations) {
      this.#cells.set(operation.key, { number, value: operation.type === 'put' ? operation.value : null });
    }
    this.#kept.push({ number, keys: operations.map(({ key }) => key), bytes });
  }

  /** The newest value of a key, `null` when it was deleted, `undefined` when the overlay does not know it. */
  get(key: string): OverlayValue | undefined {
    return this.#cells.get(key)?.value;
  }

  /** The keys for which `within` is true, ascending. */
  select(within: (key: string) => boolean): [key: string, value: OverlayValue][] {
    const selected: [string, OverlayValue][] = [];
    for (const [key, { value }] of this.#cells) if (within(key)) selected.push([key, value]);
    return selected.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Begins a read. What is not in the data by now stays until the read is released, or made invalid. */
  hold(): Hold {
    const floor = this.#applied;
    const isValid = (): boolean => floor >= this.#floor;
    const hold: Hold = {
      floor,
      get isValid() {
        return isValid();
      },
      release: () => {
        this.#holds.delete(hold);
        this.#drop();
      },
    };
    this.#holds.add(hold);
    return hold;
  }

  /** Drops the entries up to `number`, which are in the data, as soon as no read that has begun needs them. */
  trim(number: number): void {
    this.#applied = number;
    this.#drop();
  }

  #drop(): void {
    for (;;) {
      const oldest = this.#oldest();
      this.#dropUpTo(Math.min(this.#applied, oldest?.floor ?? this.#applied));
      if (oldest === undefined || !this.#isBeyondLimit()) return;
      this.#holds.delete(oldest);
    }
  }

  #oldest(): Hold | undefined {
    return this.#holds.values().next().value;
  }

  /** Counts what is in the data, and so is kept for reads alone. */
  #isBeyondLimit(): boolean {
    let [operations, bytes] = [0, 0];
    for (const kept of this.#kept) {
      if (kept.number > this.#applied) break;
      operations += kept.keys.length;
      bytes += kept.bytes;
    }
    return operations > this.#limit.operations || bytes > this.#limit.bytes;
  }

  #dropUpTo(number: number): void {
    let count = 0;
    for (const kept of this.#kept) {
      if (kept.number > number) break;
      count += 1;
      for (const key of kept.keys) {
        const cell = this.#cells.get(key);
        if (cell !== undefined && cell.number <= number) this.#cells.delete(key);
      }
    }
    if (count > 0) this.#kept = this.#kept.slice(count);
    this.#floor = Math.max(this.#floor, number);
  }
}
