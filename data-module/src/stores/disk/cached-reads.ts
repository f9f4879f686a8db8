/**
 * Blobs that were written or read a moment ago are still in the memory of the system: reading them waits for
 * nothing, so they are read at once. A thread costs several times what such a read of a few bytes does.
 */
import type { BlobMemory } from './file-reader.js';

/** Far below the time after which a system that is short of memory drops what was used. A key is known for one to two of these. */
const SPAN_MS = 5_000;
/** Keys of one span, at most. */
const MAX_KEYS = 8192;
/** A read that took so long did wait for the disk: or for the processor: none is made here for a while. */
const SLOW_MS = 5;
const SLOW_PAUSE_MS = 1_000;

export class CachedReads {
  readonly #isLocal: boolean;
  #recent = new Set<string>();
  #older = new Set<string>();
  #since = performance.now();
  #pausedUntil = 0;

  /** @param isLocal a network has a say in every call otherwise, and nothing is read here */
  constructor(isLocal: boolean) {
    this.#isLocal = isLocal;
  }

  /** A blob was written or read just now, all of it. */
  note(key: string): void {
    if (!this.#isLocal) return;
    this.#turn(performance.now());
    this.#recent.add(key);
  }

  /** What `read` gives, which reads some of the blob and waits for it; `undefined` when that may not be in memory. Throws what `read` throws. */
  atOnce<T>(key: string, read: () => T): T | undefined {
    const started = performance.now();
    this.#turn(started);
    if (started < this.#pausedUntil || !(this.#recent.has(key) || this.#older.has(key))) return undefined;
    const found = read();
    const ended = performance.now();
    if (ended - started > SLOW_MS) this.#pausedUntil = ended + SLOW_PAUSE_MS;
    this.#recent.add(key);
    return found;
  }

  /** The same for one blob. */
  of(key: string): BlobMemory {
    return { atOnce: read => this.atOnce(key, read), note: () => this.note(key) };
  }

  #turn(now: number): void {
    const age = now - this.#since;
    if (age < SPAN_MS && this.#recent.size < MAX_KEYS) return;
    this.#older = age < 2 * SPAN_MS ? this.#recent : new Set();
    this.#recent = new Set();
    this.#since = now;
  }
}
