/** Reads a segment that has no hint file. */
import {
  keysInTrailers,
  ALIGNMENT,
  decodeData,
  decodeHead,
  isSegmentHead,
  recordBytes,
  RECORD_HEAD_BYTES,
  SEGMENT_HEAD_BYTES,
} from '../record-format.js';
import { RecordEntries, type RecordEntry, UNKNOWN_TARGET } from './hint-file.js';
import type { SegmentFiles } from './segment-files.js';

const CHUNK_BYTES = 4 * 1024 * 1024;

export interface ScannedSegment {
  readonly entries: RecordEntries;
  /** Where the last record ends that was written whole. What follows, if anything does, is a torn end. */
  readonly end: number;
  /** Places in which no record can be read, although some follow, or their own end is there. */
  readonly damaged: readonly DamagedPlace[];
}

export interface DamagedPlace {
  readonly from: number;
  readonly to: number;
  /** Keys of the records that lie there, as far as they can be told. */
  readonly keys: readonly string[];
}

/** Entries of all records of a segment of `size` bytes. The data of the last record before `size` counts too: it may be torn. */
export async function scanSegment(
  files: SegmentFiles,
  segment: number,
  size: number,
): Promise<ScannedSegment> {
  const entries = new RecordEntries();
  const damaged: DamagedPlace[] = [];
  const window = new Window(files, segment, size);
  let end = SEGMENT_HEAD_BYTES;
  if (!isSegmentHead(await window.at(0, SEGMENT_HEAD_BYTES), segment)) end = 0;
  // A head that cannot be read is a torn end too, unless records follow it.
  let at = SEGMENT_HEAD_BYTES;
  while (at < size) {
    const read = await readRecord(window, at);
    if (read === undefined) {
      at += ALIGNMENT;
      continue;
    }
    if (at > Math.max(end, SEGMENT_HEAD_BYTES)) {
      addLost(entries, damaged, await describeDamage(window, Math.max(end, SEGMENT_HEAD_BYTES), at));
    }
    entries.add({ ...read, offset: at });
    at += recordBytes(read.length);
    end = at;
  }
  if (end > 0 && end < size) {
    // The end of a record is written last. Where it is whole, its put may have been acknowledged.
    const rest = await describeDamage(window, end, size - (size % ALIGNMENT));
    if (rest.keys.length > 0) {
      addLost(entries, damaged, rest);
      end = size;
    }
  }
  return { entries, end, damaged };
}

/** The keys of a place answer that they are damaged from now on, not that they are not there. */
function addLost(entries: RecordEntries, damaged: DamagedPlace[], place: DamagedPlace): void {
  for (const key of place.keys) {
    entries.add({ kind: 'lost', key: Buffer.from(key, 'hex'), offset: place.from, length: 0, target: 0 });
  }
  damaged.push(place);
}

type ReadRecord = Omit<RecordEntry, 'offset'>;

/**
 * The record at `at`. Its data is compared only where it is short of the next record: a record of which the head is
 * good and the data is not, in the middle, is one that `get` finds to be damaged.
 */
async function readRecord(window: Window, at: number): Promise<ReadRecord | undefined> {
  const head = decodeHead(await window.at(at, RECORD_HEAD_BYTES));
  if (head === undefined) return undefined;
  const { kind, key, length } = head;
  const total = recordBytes(length);
  if (at + total > window.size) return undefined;
  const isLast =
    at + total === window.size || decodeHead(await window.at(at + total, RECORD_HEAD_BYTES)) === undefined;
  if (kind !== 'deletion' && !isLast) return { kind, key, length, target: 0 };
  const data = decodeData(await window.at(at, total), key);
  if (kind === 'deletion') return { kind, key, length, target: data?.readUInt32LE(0) ?? UNKNOWN_TARGET };
  return data && { kind, key, length, target: 0 };
}

async function describeDamage(window: Window, from: number, to: number): Promise<DamagedPlace> {
  const keys: string[] = [];
  for (let at = from; at < to; at += CHUNK_BYTES) {
    const region = await window.at(at, Math.min(CHUNK_BYTES + ALIGNMENT * 3, to - at));
    keys.push(...keysInTrailers(region).map(key => key.toString('hex')));
  }
  return { from, to, keys: [...new Set(keys)] };
}

/** A part of the segment that moves on as it is read. */
class Window {
  readonly #files: SegmentFiles;
  readonly #segment: number;
  readonly size: number;
  #from = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(files: SegmentFiles, segment: number, size: number) {
    this.#files = files;
    this.#segment = segment;
    this.size = size;
  }

  /** `length` bytes from `at`, fewer where the segment ends. Valid until the next call. */
  async at(at: number, length: number): Promise<Buffer> {
    const wanted = Math.min(length, this.size - at);
    if (at < this.#from || at + wanted > this.#from + this.#bytes.length) {
      this.#from = at;
      this.#bytes = await this.#files.read(
        this.#segment,
        at,
        Math.min(Math.max(CHUNK_BYTES, wanted), this.size - at),
      );
    }
    return this.#bytes.subarray(at - this.#from, at - this.#from + wanted);
  }
}
