/** What the records of a segment are, without their data: kept in memory while it is written, then in its hint file. */
import { readFile } from 'node:fs/promises';
import { crc32c } from '@node-rs/crc32';
import type { FileCalls } from '../disk/file-calls.js';
import { writeAll } from '../disk/file-writer.js';
import { ALIGNMENT, KEY_BYTES, type RecordKind, RECORD_KINDS } from '../record-format.js';
import type { SegmentFiles } from './segment-files.js';

const MAGIC = 'ZPACKHNT';
const VERSION = 1;
const HEAD_BYTES = 32;
const ENTRY_BYTES = 32;
/** A segment ends at so many records, which bounds what is kept of it in memory to 8 MiB. */
export const MAX_RECORDS = 262_144;

/** The target of a deletion whose own record is damaged: any older segment. */
export const UNKNOWN_TARGET = 0;

/** One record. `target` is the segment that a deletion names. */
export interface RecordEntry {
  readonly kind: RecordKind;
  readonly key: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly target: number;
}

/** The entries of a segment, 32 bytes each, in the order of its records. */
export class RecordEntries {
  #bytes: Buffer = Buffer.alloc(64 * ENTRY_BYTES);
  #count = 0;

  static of(bytes: Buffer): RecordEntries {
    const entries = new RecordEntries();
    entries.#bytes = bytes;
    entries.#count = bytes.length / ENTRY_BYTES;
    return entries;
  }

  get count(): number {
    return this.#count;
  }

  /** The entries as a hint file holds them. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#count * ENTRY_BYTES);
  }

  add({ kind, key, offset, length, target }: RecordEntry): void {
    const at = this.#count * ENTRY_BYTES;
    if (at === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], at * 2);
    key.copy(this.#bytes, at);
    this.#bytes.writeUInt32LE(offset / ALIGNMENT, at + KEY_BYTES);
    this.#bytes.writeUInt32LE(kind === 'deletion' ? target : length, at + KEY_BYTES + 4);
    this.#bytes.writeUInt32LE(RECORD_KINDS.indexOf(kind), at + KEY_BYTES + 8);
    this.#count += 1;
  }

  *[Symbol.iterator](): Generator<RecordEntry, void, undefined> {
    for (let at = 0; at < this.#count * ENTRY_BYTES; at += ENTRY_BYTES) {
      const kind = RECORD_KINDS[this.#bytes.readUInt32LE(at + KEY_BYTES + 8)] ?? 'lost';
      const number = this.#bytes.readUInt32LE(at + KEY_BYTES + 4);
      yield {
        kind,
        key: this.#bytes.subarray(at, at + KEY_BYTES),
        offset: this.#bytes.readUInt32LE(at + KEY_BYTES) * ALIGNMENT,
        length: kind === 'deletion' ? 4 : number,
        target: kind === 'deletion' ? number : 0,
      };
    }
  }
}

/** Writes the hint file of a sealed segment of `segmentBytes` bytes. It is durable, and whole; when it rejects nothing of it takes room. */
export async function writeHint(
  calls: FileCalls,
  files: SegmentFiles,
  segment: number,
  segmentBytes: number,
  entries: RecordEntries,
): Promise<void> {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC, 'latin1');
  head.writeUInt32LE(VERSION, 8);
  head.writeUInt32LE(segment, 12);
  head.writeDoubleLE(segmentBytes, 16);
  head.writeUInt32LE(entries.count, 24);
  head.writeUInt32LE(checksumOf(head, entries.bytes), 28);
  const temporary = `${files.hintFile(segment)}.tmp`;
  const file = await calls.open(temporary, 'w');
  try {
    await writeAll([head, entries.bytes], file);
    await file.sync();
  } catch (err) {
    await calls.unlink(temporary).catch(() => undefined);
    throw err;
  } finally {
    file.close();
  }
  await calls.rename(temporary, files.hintFile(segment));
  await calls.syncFolder(files.folder);
}

/** The entries of a segment; `undefined` when there is no hint file, or one that is damaged or of another size. */
export async function readHint(
  files: SegmentFiles,
  segment: number,
  segmentBytes: number,
): Promise<RecordEntries | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(files.hintFile(segment));
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
  if (bytes.length < HEAD_BYTES) return undefined;
  const head = bytes.subarray(0, HEAD_BYTES);
  const entries = bytes.subarray(HEAD_BYTES);
  const fits =
    head.toString('latin1', 0, 8) === MAGIC &&
    head.readUInt32LE(8) === VERSION &&
    head.readUInt32LE(12) === segment &&
    head.readDoubleLE(16) === segmentBytes &&
    entries.length === head.readUInt32LE(24) * ENTRY_BYTES &&
    head.readUInt32LE(28) === checksumOf(head, entries);
  return fits ? RecordEntries.of(entries) : undefined;
}

function checksumOf(head: Buffer, entries: Buffer): number {
  return crc32c(entries, crc32c(head.subarray(0, 28)));
}
