/**
 * How a message stands in a segment file: one line, so that a person can read it and a reader finds the
 * next one after a damaged one.
 *
 *     <length of the JSON in bytes, 8 hex digits> <CRC-32 of it, 8 hex digits> <JSON>\n
 *
 * The JSON is `{"time":…,"key":…,"value":…}`, with `"headers"` where there are some. This format may never
 * change on filled folders. Bytes are appended in their order, so what a crash cuts off is the end of a record: one
 * of which all bytes are there has been written whole, whatever has become of them since.
 */
import { crc32 } from 'node:zlib';
import { type Message, QueueError } from '../queue.js';

/** The largest line that is written, and read. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
/** Memory that is kept for the next records. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;
const PREFIX_BYTES = 18;
const PREFIX = /^([0-9a-f]{8}) [0-9a-f]{8} $/;

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
  /** No line ends in the buffer. */
  | { readonly kind: 'incomplete' };

/** Makes records of messages, in a piece of memory that it uses again. */
export class RecordEncoder {
  #buffer: Buffer = Buffer.alloc(0);

  /** The records, one after the other; they stand until the next call. @throws QueueError MESSAGE_TOO_LARGE */
  encode(messages: readonly Message[], time: number): Buffer {
    this.#reserve(
      messages.reduce((sum, message) => sum + likelyBytes(message), 0),
      0,
    );
    let at = 0;
    for (const { key, value, headers } of messages) {
      // One after the other: all texts at once would outlive many a garbage collection.
      const text = JSON.stringify(headers ? { time, key, value, headers } : { time, key, value });
      const start = at + PREFIX_BYTES;
      // As much as a text of this length can take.
      this.#reserve(start + text.length * 3 + 1, at);
      const end = start + this.#buffer.write(text, start);
      if (end + 1 - at > MAX_RECORD_BYTES) throw tooLarge(end - start, key);
      const checksum = crc32(this.#buffer.subarray(start, end));
      this.#buffer.write(`${hex8(end - start)} ${hex8(checksum)} `, at, 'latin1');
      this.#buffer[end] = NEWLINE;
      at = end + 1;
    }
    const records = this.#buffer.subarray(0, at);
    if (this.#buffer.length > MAX_KEPT_BYTES) this.#buffer = Buffer.alloc(0);
    return records;
  }

  /** Makes room for `bytes`, of which the first `used` are kept. */
  #reserve(bytes: number, used: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, used * 2));
    this.#buffer.copy(larger, 0, 0, used);
    this.#buffer = larger;
  }
}

/** Of a message that is JSON, whose quotes are escaped. */
function likelyBytes({ key, value }: Message): number {
  return 100 + key.length + Math.ceil(value.length * 1.25);
}

function tooLarge(bytes: number, key: string): QueueError {
  return new QueueError(
    'MESSAGE_TOO_LARGE',
    `a message of ${bytes} bytes (key ${key.slice(0, 200)}) is larger than a record may be (${MAX_RECORD_BYTES})`,
  );
}

/** Reads the record that starts at `start` of `buffer`. */
export function decodeRecord(buffer: Buffer, start: number): Decoded {
  const length = announcedLength(buffer, start);
  if (length !== undefined && length > 0) {
    const end = start + PREFIX_BYTES + length;
    // A damaged line end costs neither this record nor the next one.
    if (end < buffer.length && isIntact(buffer, start, end)) {
      const json = buffer.toString('utf8', start + PREFIX_BYTES, end);
      return { kind: 'record', record: JSON.parse(json) as StoredRecord, bytes: end + 1 - start };
    }
  }
  const newline = buffer.indexOf(NEWLINE, start);
  return newline === -1 ? { kind: 'incomplete' } : { kind: 'damaged', bytes: newline + 1 - start };
}

/** Whether `rest`, in which no line ends, is the beginning of a record. Otherwise it was damaged after it was written. */
export function isBeginning(rest: Buffer): boolean {
  if (rest.length < PREFIX_BYTES) return true;
  const length = announcedLength(rest, 0);
  return length !== undefined && rest.length <= PREFIX_BYTES + length;
}

/** The length of the JSON; `undefined` when there is no whole prefix, or it is damaged. */
function announcedLength(buffer: Buffer, start: number): number | undefined {
  const match = PREFIX.exec(buffer.toString('latin1', start, start + PREFIX_BYTES));
  return match ? parseInt(match[1] ?? '', 16) : undefined;
}

function isIntact(buffer: Buffer, start: number, end: number): boolean {
  const checksum = crc32(buffer.subarray(start + PREFIX_BYTES, end));
  return buffer.toString('latin1', start + 9, start + PREFIX_BYTES) === `${hex8(checksum)} `;
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}
