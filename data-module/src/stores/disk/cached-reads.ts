/**
 * Small blobs that were written or read a moment ago are still in the memory of the system: reading them waits for
 * nothing, so they are read at once. A thread costs several times what such a read does.
 */
import type { ChooseRange, OpenBlob } from '../../data-store.js';
import { readSmallFile } from './file-reader.js';

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

  /** A small blob was written or read just now. */
  note(key: string): void {
    if (!this.#isLocal) return;
    this.#turn(performance.now());
    this.#recent.add(key);
  }

  /** The blob in `file`, or `undefined` when it may not be in memory. Throws what the system says, and what `choose` throws. */
  read(key: string, file: string, choose: ChooseRange): OpenBlob | undefined {
    const started = performance.now();
    this.#turn(started);
    if (started < this.#pausedUntil || !(this.#recent.has(key) || this.#older.has(key))) return undefined;
    const blob = readSmallFile(file, choose);
    const ended = performance.now();
    if (ended - started > SLOW_MS) this.#pausedUntil = ended + SLOW_PAUSE_MS;
    this.#recent.add(key);
    return blob;
  }

  #turn(now: number): void {
    const age = now - this.#since;
    if (age < SPAN_MS && this.#recent.size < MAX_KEYS) return;
    this.#older = age < 2 * SPAN_MS ? this.#recent : new Set();
    this.#recent = new Set();
    this.#since = now;
  }
}
