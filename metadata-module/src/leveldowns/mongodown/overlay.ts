/**
 * What is acknowledged, but perhaps not in the data collection yet. Readers lay it over what they read there,
 * so that they see a batch from its acknowledgement on, whole.
 *
 * A read takes time, and an entry may be applied meanwhile. So a read holds the overlay: what is applied
 * after the hold began stays until it is released. What a read gets is then the state at its end: where the
 * overlay knows a key, it knows the newest value, and no other key was written since the hold began.
 */
import type { Operation } from './operations.js';

/** A value, or `null` for a key that was deleted. */
export type OverlayValue = Buffer | null;

export interface Hold {
  /** What the overlay has dropped: every entry up to this number must be visible to the read. */
  readonly floor: number;
  release(): void;
}

interface Cell {
  readonly number: number;
  readonly value: OverlayValue;
}

interface Committed {
  readonly number: number;
  readonly keys: readonly string[];
}

interface PendingTrim {
  readonly number: number;
  readonly holds: Set<Hold>;
}

export class Overlay {
  readonly #cells = new Map<string, Cell>();
  readonly #holds = new Set<Hold>();
  /** Entries that are not dropped yet, ascending. */
  #entries: Committed[] = [];
  #trims: PendingTrim[] = [];
  #floor: number;

  /** @param floor number of the last entry that is applied. */
  constructor(floor: number) {
    this.#floor = floor;
  }

  /** Keys that it knows. */
  get size(): number {
    return this.#cells.size;
  }

  /** Adds an acknowledged entry, all of it at once. Numbers ascend. */
  commit(number: number, operations: readonly Operation[]): void {
    for (const operation of operations) {
      this.#cells.set(operation.key, { number, value: operation.type === 'put' ? operation.value : null });
    }
    this.#entries.push({ number, keys: operations.map(({ key }) => key) });
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

  /** Begins a read. */
  hold(): Hold {
    const hold: Hold = { floor: this.#floor, release: () => this.#release(hold) };
    this.#holds.add(hold);
    return hold;
  }

  /** Drops the entries up to `number`, which are applied, as soon as no read that has begun needs them. */
  trim(number: number): void {
    this.#trims.push({ number, holds: new Set(this.#holds) });
    this.#runTrims();
  }

  #release(hold: Hold): void {
    this.#holds.delete(hold);
    for (const { holds } of this.#trims) holds.delete(hold);
    this.#runTrims();
  }

  #runTrims(): void {
    while (this.#trims[0]?.holds.size === 0) {
      const { number } = this.#trims[0];
      this.#trims.shift();
      this.#drop(number);
    }
  }

  #drop(number: number): void {
    let count = 0;
    for (const entry of this.#entries) {
      if (entry.number > number) break;
      count += 1;
      for (const key of entry.keys) {
        const cell = this.#cells.get(key);
        if (cell !== undefined && cell.number <= number) this.#cells.delete(key);
      }
    }
    this.#entries = this.#entries.slice(count);
    this.#floor = number;
  }
}
