/**
 * What the journal holds: operations, one after the other, each
 *
 *     type (1 byte: 1 put, 0 del) · key length (4 bytes, little endian) · key
 *                                 · for a put: value length (4 bytes) · value
 *
 * so that several batches one behind the other are again a batch.
 */
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { encodedKeyBytes } from './key-encoding.js';

/** `key` is encoded as an `_id`. */
export type JournalOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: string };

/** A batch that is committed, or several as one. */
export interface JournalEntry {
  /** The number of its last part: applying it brings the data up to this number. */
  readonly number: number;
  readonly operations: readonly JournalOperation[];
  /** Bytes of its operations. */
  readonly bytes: number;
}

/** A key and its value must fit into one document of 16 MiB, with room for the command around it. */
export const MAX_ENTRY_BYTES = 16 * 1024 * 1024 - 2048;
/** What one batch may hold: it is in memory until it is applied. */
export const MAX_BATCH_BYTES = 128 * 1024 * 1024;

const PUT = 1;
const DEL = 0;
const DEL_OVERHEAD = 5;
const PUT_OVERHEAD = 9;

/** Bytes that an operation takes in the journal. */
export function encodedBytes(operation: JournalOperation): number {
  const { key } = operation;
  return operation.type === 'put'
    ? PUT_OVERHEAD + key.length + operation.value.length
    : DEL_OVERHEAD + key.length;
}

/** @throws LevelError `tooLarge` when one of its operations, or the batch, is larger than can be stored. */
export function encodeOperations(operations: readonly JournalOperation[]): Buffer {
  let size = 0;
  for (const operation of operations) size += checkedSize(operation);
  if (size > MAX_BATCH_BYTES) {
    throw new LevelError(
      LEVEL_ERRORS.tooLarge,
      `a batch of ${operations.length} operations takes ${size} bytes, more than the ${MAX_BATCH_BYTES} that mongodown takes`,
    );
  }
  const payload = Buffer.allocUnsafe(size);
  let at = 0;
  for (const operation of operations) {
    at = payload.writeUInt8(operation.type === 'put' ? PUT : DEL, at);
    at = payload.writeUInt32LE(operation.key.length, at);
    at += payload.write(operation.key, at, 'latin1');
    if (operation.type === 'del') continue;
    at = payload.writeUInt32LE(operation.value.length, at);
    at += operation.value.copy(payload, at);
  }
  return payload;
}

/**
 * The operations of a payload; values are views of it.
 * @throws LevelError `corrupt` when the payload is not what `encodeOperations` writes.
 */
export function decodeOperations(payload: Buffer, where: string): JournalOperation[] {
  const operations: JournalOperation[] = [];
  const reader = new Reader(payload, where);
  while (!reader.atEnd) {
    const type = reader.byte();
    const key = reader.bytes().toString('latin1');
    if (type === DEL) operations.push({ type: 'del', key });
    else if (type === PUT) operations.push({ type: 'put', key, value: reader.bytes() });
    else throw reader.damage(`operation type ${type}`);
  }
  return operations;
}

function checkedSize(operation: JournalOperation): number {
  const { key } = operation;
  const keyBytes = encodedKeyBytes(key);
  const valueBytes = operation.type === 'put' ? operation.value.length : 0;
  if (keyBytes + valueBytes > MAX_ENTRY_BYTES) {
    throw new LevelError(
      LEVEL_ERRORS.tooLarge,
      `key ${JSON.stringify(key.slice(0, 100))} and its value take ${keyBytes + valueBytes} bytes, ` +
        `more than the ${MAX_ENTRY_BYTES} that a document of MongoDB holds`,
    );
  }
  return encodedBytes(operation);
}

class Reader {
  readonly #payload: Buffer;
  readonly #where: string;
  #at = 0;

  constructor(payload: Buffer, where: string) {
    this.#payload = payload;
    this.#where = where;
  }

  get atEnd(): boolean {
    return this.#at === this.#payload.length;
  }

  byte(): number {
    this.#need(1);
    this.#at += 1;
    return this.#payload.readUInt8(this.#at - 1);
  }

  bytes(): Buffer {
    this.#need(4);
    const length = this.#payload.readUInt32LE(this.#at);
    this.#at += 4;
    this.#need(length);
    this.#at += length;
    return this.#payload.subarray(this.#at - length, this.#at);
  }

  damage(what: string): LevelError {
    return new LevelError(LEVEL_ERRORS.corrupt, `${this.#where} is damaged at byte ${this.#at}: ${what}`);
  }

  #need(length: number): void {
    if (this.#payload.length - this.#at < length) throw this.damage('it ends too early');
  }
}
