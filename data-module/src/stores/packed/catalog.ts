/** Which blobs there are and where, and how much of each segment they use. */
import { BlobIndex, type Location, LOST } from './blob-index.js';
import { UNKNOWN_TARGET } from './hint-file.js';
import type { PackedFigures } from './packed-metrics.js';
import { recordBytes, SEGMENT_HEAD_BYTES } from '../record-format.js';

/** A segment as it stands on disk. */
export interface SegmentUse {
  /** Bytes of the file. */
  bytes: number;
  /** Of these, bytes of records that the index names. */
  live: number;
  /** How many deletions in it name which segment. */
  readonly deletions: Map<number, number>;
  /** Nothing is appended to it any more. */
  sealed: boolean;
  /** A compaction of it was begun and has not ended: some of its records stand in a later segment too. */
  interrupted: boolean;
}

export class Catalog {
  readonly #index = new BlobIndex();
  readonly #segments = new Map<number, SegmentUse>();

  /** How many blobs there are. */
  get size(): number {
    return this.#index.size;
  }

  get segments(): ReadonlyMap<number, SegmentUse> {
    return this.#segments;
  }

  figures(): PackedFigures {
    let liveBytes = 0;
    let deadBytes = 0;
    for (const [segment, { live }] of this.#segments) {
      liveBytes += live;
      deadBytes += this.deadBytes(segment);
    }
    const { size: blobs, bytes: indexBytes } = this.#index;
    return { blobs, indexBytes, segments: this.#segments.size, liveBytes, deadBytes };
  }

  find(key: Buffer): Location | undefined {
    return this.#index.get(key);
  }

  /** Whether the newest record of `key` is the one at this place. */
  isAt(key: Buffer, segment: number, offset: number): boolean {
    const found = this.#index.get(key);
    return found?.segment === segment && found.offset === offset;
  }

  /** The blob has a new record. Returns the segment of the one that it replaces. */
  put(key: Buffer, location: Location): number | undefined {
    const before = this.#index.set(key, location);
    this.#use(location, 1);
    if (before !== undefined) this.#use(before, -1);
    return before?.segment;
  }

  /** The blob is gone: a record of `segment` says so, and names `target`. */
  delete(key: Buffer, segment: number, target: number): void {
    const before = this.#index.delete(key);
    if (before !== undefined) this.#use(before, -1);
    const deletions = this.#segments.get(segment)?.deletions;
    deletions?.set(target, (deletions.get(target) ?? 0) + 1);
  }

  /** Whether a deletion in `segment` that names `target` may still have a record to delete. */
  isNeeded(segment: number, target: number): boolean {
    if (target !== UNKNOWN_TARGET) return target !== segment && this.#segments.has(target);
    for (const other of this.#segments.keys()) if (other < segment) return true;
    return false;
  }

  /** Bytes that a compaction of `segment` would give back. */
  deadBytes(segment: number): number {
    const use = this.#segments.get(segment);
    if (use === undefined) return 0;
    let dead = use.bytes - SEGMENT_HEAD_BYTES - use.live;
    for (const [target, count] of use.deletions) {
      if (this.isNeeded(segment, target)) dead -= count * recordBytes(4);
    }
    return dead;
  }

  addSegment(segment: number, bytes: number, sealed: boolean): SegmentUse {
    const use = { bytes, live: 0, sealed, interrupted: false, deletions: new Map<number, number>() };
    this.#segments.set(segment, use);
    return use;
  }

  removeSegment(segment: number): void {
    this.#segments.delete(segment);
  }

  /** Every key, in no order, table by table: what is put or deleted meanwhile may be among them or not. */
  *keys(): Generator<Buffer, void, undefined> {
    for (let table = 0; table < 256; table += 1) yield* this.#index.keysOfTable(table);
  }

  #use({ segment, length }: Location, sign: 1 | -1): void {
    const use = this.#segments.get(segment);
    if (use !== undefined) use.live += sign * recordBytes(length === LOST ? 0 : length);
  }
}
