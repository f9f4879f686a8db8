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

/** So many are spared for one that comes, however many were asked for: nobody waits for a look at all of them. */
const MAX_SPARED = 16;

/** A read of one key that is under way. */
export type Reading = symbol;

interface Entry {
  readonly value: string;
  /** It was asked for since it came to its place in the line. */
  used: boolean;
}

export class ValueCache {
  readonly #maxBytes: number;
  /** In a line: the first is dropped when there is no room, unless it was asked for: then it goes to the end once more. */
  readonly #entries = new Map<string, Entry>();
  /** Goes along the line. One that begins anew each time would pass over all that was dropped before. */
  #first: IterableIterator<[string, Entry]> | undefined;
  #bytes = 0;
  /** The latest read of each key that nothing has been written to since it began. */
  readonly #readings = new Map<string, Reading>();
  /** The keys of each batch that is being written. */
  readonly #writing = new Set<ReadonlySet<string>>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The value that is known to be under `key`. */
  get(key: string): string | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.used = true;
    return entry.value;
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
      this.#delete(key);
    }
    this.#writing.add(written);
    return () => this.#writing.delete(written);
  }

  /** Forgets everything: the store may hold something else when it is asked again. */
  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
    this.#readings.clear();
  }

  #isWritten(key: string): boolean {
    for (const keys of this.#writing) if (keys.has(key)) return true;
    return false;
  }

  #insert(key: string, value: string): void {
    this.#delete(key);
    this.#insertLast(key, value);
    for (let spared = 0; this.#bytes > this.#maxBytes;) {
      if (this.#dropFirst(spared < MAX_SPARED)) spared += 1;
    }
  }

  #insertLast(key: string, value: string): void {
    this.#entries.set(key, { value, used: false });
    this.#bytes += bytesOf(key, value);
  }

  /** @returns whether it was spared, as it was asked for. */
  #dropFirst(maySpare: boolean): boolean {
    this.#first ??= this.#entries.entries();
    const step = this.#first.next();
    if (step.done) {
      this.#first = undefined;
      return false;
    }
    const [key, { value, used }] = step.value;
    const spared = used && maySpare;
    this.#delete(key);
    if (spared) this.#insertLast(key, value);
    return spared;
  }

  #delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= bytesOf(key, entry.value);
  }
}

function bytesOf(key: string, value: string): number {
  return ENTRY_BYTES + UNIT_BYTES * (key.length + value.length);
}
