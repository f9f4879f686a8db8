/**
 * The blobs that were read last, as far as they fit: a read of one needs no call to the system, which costs more than all
 * else that a small blob takes.
 *
 * The bytes lie in one ring; what comes in takes the place of what came in longest ago.
 */
import type { Location } from './blob-index.js';

/** Larger blobs gain little. */
const MAX_BLOB_BYTES = 64 * 1024;
/** What a blob takes of the ring at least, so that there are not too many entries. */
const MIN_TAKEN_BYTES = 512;

interface Entry {
  readonly segment: number;
  readonly offset: number;
  /** Where it begins in the ring, and how much of it is data. */
  readonly at: number;
  readonly length: number;
  /** What follows it. */
  readonly end: number;
}

export class ReadCache {
  readonly #ring: Buffer;
  /** In the order in which they came in, which is that of the ring. */
  readonly #entries = new Map<string, Entry>();
  #next = 0;

  /** @param bytes 0: it holds nothing */
  constructor(bytes: number) {
    // Memory that the system gives only as it is written to.
    this.#ring = Buffer.allocUnsafeSlow(bytes);
  }

  /** A copy of the data of the record at this place, if it is here. */
  get(key: string, { segment, offset }: Location): Buffer | undefined {
    const entry = this.#entries.get(key);
    // One that was copied to another segment, or replaced: the bytes of a place never change.
    if (entry?.segment !== segment || entry.offset !== offset) return undefined;
    const data = Buffer.allocUnsafe(entry.length);
    this.#ring.copy(data, 0, entry.at, entry.at + entry.length);
    return data;
  }

  /** `data` was read at this place, and found to be whole. */
  add(key: string, { segment, offset }: Location, data: Buffer): void {
    const taken = Math.max(data.length, MIN_TAKEN_BYTES);
    if (data.length > MAX_BLOB_BYTES || taken > this.#ring.length) return;
    this.#entries.delete(key);
    if (this.#next + taken > this.#ring.length) {
      this.#forget(this.#next, this.#ring.length);
      this.#next = 0;
    }
    const at = this.#next;
    const end = at + taken;
    this.#forget(at, end);
    data.copy(this.#ring, at);
    this.#entries.set(key, { segment, offset, at, length: data.length, end });
    this.#next = end;
  }

  /** Makes room: what overlaps this part of the ring came in before all else that is left. */
  #forget(from: number, to: number): void {
    for (const [key, { at, end }] of this.#entries) {
      if (at >= to || end <= from) return;
      this.#entries.delete(key);
    }
  }
}
