/**
 * How large the entries of a store are, as the pages tell that were read lately. A server bounds a page at 16 MiB,
 * and every reader holds one: how many entries are asked for depends on what they will take.
 */
import type { PageEntry } from './merged-page.js';

/** The part that one page has in the average. */
const WEIGHT = 1 / 4;

export class EntrySizes {
  #average = 0;

  /** Bytes of a page, which is noted where it has entries. */
  note(entries: readonly PageEntry[]): number {
    const bytes = entries.reduce((sum, [id, value]) => sum + id.length + value.length, 0);
    if (entries.length > 0) {
      const average = bytes / entries.length;
      this.#average = this.#average === 0 ? average : this.#average + (average - this.#average) * WEIGHT;
    }
    return bytes;
  }

  /** About how many entries take so many bytes, one at least. */
  fitting(bytes: number): number {
    return this.#average === 0 ? Infinity : Math.max(1, Math.floor(bytes / this.#average));
  }
}
