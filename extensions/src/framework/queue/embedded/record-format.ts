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
import { writeEscaped } from './escape-json.js';

/** The largest line that is written, and read. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024;
/** Memory that is kept for the next records. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
/** A character takes so many, at most; half of a pair less. */
const UTF8_BYTES = 3;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const HEX8_BYTES = 8;
const PREFIX_BYTES = 2 * (HEX8_BYTES + 1);
const PREFIX = /^([0-9a-f]{8}) ([0-9a-f]{8}) $/;
const HEX_DIGITS = Buffer.from('0123456789abcdef');

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
    for (const message of messages) {
      const start = at + PREFIX_BYTES;
      const end = this.#writeJson(message, time, start);
      if (end + 1 - at > MAX_RECORD_BYTES) throw tooLarge(end - start, message.key);
      const checksum = crc32(this.#buffer.subarray(start, end));
      writeHex8(end - start, this.#buffer, at);
      this.#buffer[at + HEX8_BYTES] = SPACE;
      writeHex8(checksum, this.#buffer, at + HEX8_BYTES + 1);
      this.#buffer[start - 1] = SPACE;
      this.#buffer[end] = NEWLINE;
      at = end + 1;
    }
    const records = this.#buffer.subarray(0, at);
    if (this.#buffer.length > MAX_KEPT_BYTES) this.#buffer = Buffer.alloc(0);
    return records;
  }

  /** As `JSON.stringify` shows it, at `start`. @returns where it ends; there is room for a line end */
  #writeJson({ key, value, headers }: Message, time: number, start: number): number {
    // What cannot fit takes no memory.
    if (value.length > MAX_RECORD_BYTES) throw tooLarge(value.length, key);
    const head = `{"time":${time},"key":${JSON.stringify(key)},"value":"`;
    const tail = headers ? `","headers":${JSON.stringify(headers)}}` : '"}';
    const rest = tail.length * UTF8_BYTES + 1;
    this.#reserve(start + (head.length + value.length) * UTF8_BYTES + rest, start);
    const at = start + this.#buffer.write(head, start);
    const end = writeEscaped(value, this.#buffer, at) ?? this.#writeSlowly(value, at, rest);
    return end + this.#buffer.write(tail, end);
  }

  /** Leaves room for `rest` bytes behind it. */
  #writeSlowly(value: string, at: number, rest: number): number {
    const escaped = JSON.stringify(value).slice(1, -1);
    this.#reserve(at + escaped.length * UTF8_BYTES + rest, at);
    return at + this.#buffer.write(escaped, at);
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
  const prefix = readPrefix(buffer, start);
  if (prefix !== undefined && prefix.length > 0) {
    const json = buffer.subarray(start + PREFIX_BYTES, start + PREFIX_BYTES + prefix.length);
    const bytes = PREFIX_BYTES + prefix.length + 1;
    // A damaged line end costs neither this record nor the next one.
    if (start + bytes <= buffer.length && crc32(json) === prefix.checksum) {
      return { kind: 'record', record: JSON.parse(json.toString()) as StoredRecord, bytes };
    }
  }
  const newline = buffer.indexOf(NEWLINE, start);
  return newline === -1 ? { kind: 'incomplete' } : { kind: 'damaged', bytes: newline + 1 - start };
}

/** Whether `rest`, in which no line ends, is the beginning of a record. Otherwise it was damaged after it was written. */
export function isBeginning(rest: Buffer): boolean {
  if (rest.length < PREFIX_BYTES) return true;
  const prefix = readPrefix(rest, 0);
  return prefix !== undefined && rest.length <= PREFIX_BYTES + prefix.length;
}

/** What is said of the JSON; `undefined` when there is no whole prefix, or it is damaged. */
function readPrefix(
  buffer: Buffer,
  start: number,
): { readonly length: number; readonly checksum: number } | undefined {
  const [, length, checksum] = PREFIX.exec(buffer.toString('latin1', start, start + PREFIX_BYTES)) ?? [];
  if (length === undefined || checksum === undefined) return undefined;
  return { length: parseInt(length, 16), checksum: parseInt(checksum, 16) };
}

function writeHex8(value: number, target: Buffer, at: number): void {
  for (let digit = 0; digit < HEX8_BYTES; digit++) {
    target[at + digit] = HEX_DIGITS[(value >>> (28 - 4 * digit)) & 15] as number;
  }
}
