/**
 * How a message stands in a segment file: one line, so that a person can read it and a reader finds the
 * next one after a damaged one.
 *
 *     <length of the JSON in bytes, 8 hex digits> <CRC-32 of it, 8 hex digits> <JSON>\n
 *
 * The JSON is `{"time":…,"key":…,"value":…}`, with `"headers"` where there are some. This format may never
 * change on filled folders.
 */
import { crc32 } from 'node:zlib';
import { type Message, QueueError } from '../queue.js';

/** The largest line that is written, and read. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
const NEWLINE = 10;
const PREFIX_BYTES = 18;

export interface StoredRecord {
  readonly time: number;
  readonly key: string;
  readonly value: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Decoded =
  | { readonly kind: 'record'; readonly record: StoredRecord; readonly bytes: number }
  /** A whole line that is not what was written. */
  | { readonly kind: 'damaged'; readonly bytes: number }
  /** The line has no end yet: it is being written, or its writer died. */
  | { readonly kind: 'incomplete' };

/** The records of messages, one after the other, in one piece. @throws QueueError MESSAGE_TOO_LARGE */
export function encodeRecords(messages: readonly Message[], time: number): Buffer {
  let data: Buffer = Buffer.allocUnsafe(messages.reduce((sum, message) => sum + likelyBytes(message), 0));
  let at = 0;
  for (const { key, value, headers } of messages) {
    // One after the other: all texts at once would outlive many a garbage collection.
    const text = JSON.stringify({ time, key, value, ...(headers && { headers }) });
    const size = Buffer.byteLength(text);
    const bytes = PREFIX_BYTES + size + 1;
    if (bytes > MAX_RECORD_BYTES) throw tooLarge(size, key);
    if (at + bytes > data.length) data = grown(data.subarray(0, at), bytes);
    const start = at + PREFIX_BYTES;
    const end = start + data.write(text, start);
    data.write(`${hex8(size)} ${hex8(crc32(data.subarray(start, end)))} `, at, 'latin1');
    data[end] = NEWLINE;
    at = end + 1;
  }
  return data.subarray(0, at);
}

/** Of a message that is JSON, whose quotes are escaped. */
function likelyBytes({ key, value }: Message): number {
  return 100 + key.length + Math.ceil(value.length * 1.25);
}

function grown(data: Buffer, more: number): Buffer {
  const larger = Buffer.allocUnsafe(data.length * 2 + more);
  data.copy(larger);
  return larger;
}

function tooLarge(bytes: number, key: string): QueueError {
  return new QueueError(
    'MESSAGE_TOO_LARGE',
    `a message of ${bytes} bytes (key ${key.slice(0, 200)}) is larger than a record may be (${MAX_RECORD_BYTES})`,
  );
}

/** Reads the record that starts at `start` of `buffer`. */
export function decodeRecord(buffer: Buffer, start: number): Decoded {
  const end = buffer.indexOf(NEWLINE, start);
  if (end === -1) return { kind: 'incomplete' };
  const bytes = end + 1 - start;
  const json = buffer.subarray(start + PREFIX_BYTES, end);
  const prefix = `${hex8(json.length)} ${hex8(crc32(json))} `;
  if (bytes < PREFIX_BYTES + 1 || buffer.toString('latin1', start, start + PREFIX_BYTES) !== prefix) {
    return { kind: 'damaged', bytes };
  }
  return { kind: 'record', record: JSON.parse(json.toString('utf8')) as StoredRecord, bytes };
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}
