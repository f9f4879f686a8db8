/** The bytes of records, as PACKED.md lays them down, and of the heads of segments. May never change on filled stores. */
import { crc32c } from '@node-rs/crc32';

export const KEY_BYTES = 20;
export const SEGMENT_HEAD_BYTES = 32;
export const RECORD_HEAD_BYTES = 40;
const TRAILER_BYTES = KEY_BYTES + 4;
/** Records begin at multiples of this. */
export const ALIGNMENT = 8;

const SEGMENT_MAGIC = 'ZPACKSEG';
const RECORD_MAGIC = 0x5a504b31;
const VERSION = 1;

/** `lost`: a blob whose data was damaged; its key answers an error. */
export const RECORD_KINDS = ['blob', 'deletion', 'lost'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export interface RecordHead {
  readonly kind: RecordKind;
  readonly key: Buffer;
  /** Bytes of data. */
  readonly length: number;
  readonly checksum: number;
}

/** Bytes that a record of `length` bytes of data takes. */
export function recordBytes(length: number): number {
  return Math.ceil((RECORD_HEAD_BYTES + length + TRAILER_BYTES) / ALIGNMENT) * ALIGNMENT;
}

export function encodeSegmentHead(segment: number): Buffer {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
  head.write(SEGMENT_MAGIC, 'latin1');
  head.writeUInt32LE(VERSION, 8);
  head.writeUInt32LE(segment, 12);
  head.writeUInt32LE(crc32c(head.subarray(0, 28)), 28);
  return head;
}

export function isSegmentHead(bytes: Buffer, segment: number): boolean {
  return bytes.subarray(0, SEGMENT_HEAD_BYTES).equals(encodeSegmentHead(segment));
}

/** A whole record; `data` is copied into it. Its checksum may be known already. */
export function encodeRecord(kind: RecordKind, key: Buffer, data: Buffer, checksum = crc32c(data)): Buffer {
  const record = Buffer.allocUnsafe(recordBytes(data.length));
  record.writeUInt32LE(RECORD_MAGIC, 0);
  record.writeUInt32LE(checksum, 8);
  record.writeUInt32LE(data.length, 12);
  record.writeUInt32LE(RECORD_KINDS.indexOf(kind), 16);
  key.copy(record, 20);
  record.writeUInt32LE(crc32c(record.subarray(8, RECORD_HEAD_BYTES)), 4);
  data.copy(record, RECORD_HEAD_BYTES);
  const trailer = RECORD_HEAD_BYTES + data.length;
  key.copy(record, trailer);
  record.writeUInt32LE(crc32c(key), trailer + KEY_BYTES);
  record.fill(0, trailer + TRAILER_BYTES);
  return record;
}

/** The data of a deletion: which segment held the blob. */
export function encodeTarget(segment: number): Buffer {
  const data = Buffer.alloc(4);
  data.writeUInt32LE(segment);
  return data;
}

/** The head that begins at `at`; `undefined` when none does. */
export function decodeHead(bytes: Buffer, at = 0): RecordHead | undefined {
  if (at + RECORD_HEAD_BYTES > bytes.length || bytes.readUInt32LE(at) !== RECORD_MAGIC) return undefined;
  if (bytes.readUInt32LE(at + 4) !== crc32c(bytes.subarray(at + 8, at + RECORD_HEAD_BYTES))) return undefined;
  const kind = RECORD_KINDS[bytes.readUInt32LE(at + 16)];
  if (kind === undefined) return undefined;
  return {
    kind,
    key: Buffer.from(bytes.subarray(at + 20, at + RECORD_HEAD_BYTES)),
    length: bytes.readUInt32LE(at + 12),
    checksum: bytes.readUInt32LE(at + 8),
  };
}

/** The data of the record of `key` that begins at `at`; `undefined` when any byte that matters is another than was written. */
export function decodeData(bytes: Buffer, key: Buffer, at = 0): Buffer | undefined {
  const head = decodeHead(bytes, at);
  if (head === undefined || !head.key.equals(key)) return undefined;
  const data = bytes.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + head.length);
  return data.length === head.length && crc32c(data) === head.checksum ? data : undefined;
}

/** The keys that the ends of records name within `region`, in which no head can be read. */
export function keysInTrailers(region: Buffer): Buffer[] {
  const keys: Buffer[] = [];
  for (let at = 0; at + TRAILER_BYTES <= region.length; at += 1) {
    const key = region.subarray(at, at + KEY_BYTES);
    if (region.readUInt32LE(at + KEY_BYTES) !== crc32c(key)) continue;
    keys.push(Buffer.from(key));
    at += TRAILER_BYTES - 1;
  }
  return keys;
}
