/**
 * Values that were read lately, for a store whose contents nobody else changes while it is open. What lies here
 * is answered without the trip to the LevelDOWN's thread, which takes longer than all else that a read costs.
 *
 * A key that is being written is neither answered from here nor kept, and what was read before a write of its
 * key is not kept after it: a reader sees what the store holds.
 */

/** What an entry takes in memory besides the units of its key and its value. */
const ENTRY_BYTES = 128;
/** A text takes one byte per unit, or two. */
const UNIT_BYTES = 2;
/** A value that takes more than this part of all is not kept: it would push out too many others. */
const LARGEST_PART = 1 / 64;

/** A read of one key that is under way. */
export type Reading = symbol;

export class ValueCache {
  readonly #maxBytes: number;
  /** Two generations: what is asked for moves to the young one; when that is half of all, the old one is dropped. */
  #young = new Map<string, string>();
  #old = new Map<string, string>();
  #youngBytes = 0;
  /** The latest read of each key that nothing has been written to since it began. */
  readonly #readings = new Map<string, Reading>();
  /** The keys of each batch that is being written. */
  readonly #writing = new Set<ReadonlySet<string>>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The value that is known to be under `key`. */
  get(key: string): string | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.#insert(key, old);
    return old;
  }

  /** To be called before the store is asked. */
  begin(key: string): Reading {
    const reading = Symbol();
    if (!this.#isWritten(key)) this.#readings.set(key, reading);
    return reading;
  }

  /** The store has answered, with `undefined` when it has no value, or has failed to. */
  end(key: string, reading: Reading, value?: string): void {
    if (this.#readings.get(key) !== reading) return;
    this.#readings.delete(key);
    if (value !== undefined && bytesOf(key, value) <= this.#maxBytes * LARGEST_PART) this.#insert(key, value);
  }

  /** To be called before the keys are written. Returns what is to be called when that has ended, however. */
  write(keys: Iterable<string>): () => void {
    const written = new Set(keys);
    for (const key of written) {
      this.#readings.delete(key);
      this.#old.delete(key);
      const value = this.#young.get(key);
      if (value === undefined) continue;
      this.#young.delete(key);
      this.#youngBytes -= bytesOf(key, value);
    }
    this.#writing.add(written);
    return () => this.#writing.delete(written);
  }

  /** Forgets everything: the store may hold something else when it is asked again. */
  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
    this.#readings.clear();
  }

  #isWritten(key: string): boolean {
    for (const keys of this.#writing) if (keys.has(key)) return true;
    return false;
  }

  #insert(key: string, value: string): void {
    this.#old.delete(key);
    this.#young.set(key, value);
    this.#youngBytes += bytesOf(key, value);
    if (this.#youngBytes <= this.#maxBytes / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }
}

function bytesOf(key: string, value: string): number {
  return ENTRY_BYTES + UNIT_BYTES * (key.length + value.length);
}
