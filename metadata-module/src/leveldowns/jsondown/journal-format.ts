/**
 * The lines of a journal, each one JSON object that begins with the checksum of the rest of its line:
 *
 *     {"crc":"4f2a90c1","begin":{"store":"<id>","generation":3,"afterBatch":56}}
 *     {"crc":"90b1d5e2","batch":57,"operations":[["put","key","value"],["del","key"]]}
 *     {"crc":"0c77e3aa","continuedIn":4,"afterBatch":57}
 *
 * The first says which snapshot the journal belongs to: that of the same store and generation. The last is
 * there when a newer journal took over. What filled storage holds may never become unreadable: change the
 * snapshot's format number with anything here.
 */
import { crc32 } from 'node:zlib';
import { fromJson, toJson, type Bytes } from './bytes.js';
import { SortedMap } from './sorted-map.js';

export type MapOperation =
  | { readonly type: 'put'; readonly key: Bytes; readonly value: Bytes }
  | { readonly type: 'del'; readonly key: Bytes };

export interface BeginRecord {
  readonly kind: 'begin';
  readonly store: string;
  readonly generation: number;
  /** The number of the last batch before this journal. */
  readonly afterBatch: number;
}
export interface BatchRecord {
  readonly kind: 'batch';
  readonly batch: number;
  readonly operations: readonly MapOperation[];
}
export interface ContinuedRecord {
  readonly kind: 'continued';
  readonly generation: number;
  readonly afterBatch: number;
}
export type JournalRecord = BeginRecord | BatchRecord | ContinuedRecord;

/** The line of a record, without a newline. */
export function formatRecord(record: JournalRecord): string {
  const body = JSON.stringify(bodyOf(record)).slice(1);
  return `{"crc":"${checksum(body)}",${body}`;
}

/** The record of a line, or `undefined` when the line is not exactly what was written. */
export function parseRecord(line: Buffer): JournalRecord | undefined {
  const match = /^\{"crc":"([0-9a-f]{8})",$/.exec(line.toString('latin1', 0, 18));
  if (match?.[1] !== checksum(line.subarray(18))) return undefined;
  return recordOf(JSON.parse(line.toString('utf8')) as Body);
}

/** The checksum of text (as UTF-8) or bytes as eight hexadecimal digits. */
export function checksum(data: string | Buffer): string {
  return crc32(data).toString(16).padStart(8, '0');
}

export function applyOperations(map: SortedMap, operations: readonly MapOperation[]): SortedMap {
  let changed = map;
  for (const operation of operations) {
    changed =
      operation.type === 'put' ? changed.set(operation.key, operation.value) : changed.delete(operation.key);
  }
  return changed;
}

interface Body {
  readonly begin?: Omit<BeginRecord, 'kind'>;
  readonly batch?: number;
  readonly operations?: readonly (readonly unknown[])[];
  readonly continuedIn?: number;
  readonly afterBatch?: number;
}

function bodyOf(record: JournalRecord): Body {
  switch (record.kind) {
    case 'begin': {
      const { store, generation, afterBatch } = record;
      return { begin: { store, generation, afterBatch } };
    }
    case 'batch':
      return { batch: record.batch, operations: record.operations.map(formatOperation) };
    case 'continued':
      return { continuedIn: record.generation, afterBatch: record.afterBatch };
  }
}

function recordOf({ begin, batch, operations, continuedIn, afterBatch }: Body): JournalRecord | undefined {
  if (begin !== undefined) return { kind: 'begin', ...begin };
  if (continuedIn !== undefined && afterBatch !== undefined) {
    return { kind: 'continued', generation: continuedIn, afterBatch };
  }
  if (batch === undefined || operations === undefined) return undefined;
  const parsed = operations.map(parseOperation);
  return parsed.every(operation => operation !== undefined)
    ? { kind: 'batch', batch, operations: parsed }
    : undefined;
}

function formatOperation(operation: MapOperation): unknown[] {
  const { type, key } = operation;
  return type === 'put' ? [type, toJson(key), toJson(operation.value)] : [type, toJson(key)];
}

function parseOperation([type, jsonKey, jsonValue]: readonly unknown[]): MapOperation | undefined {
  const key = fromJson(jsonKey);
  if (key === undefined) return undefined;
  if (type === 'del') return { type, key };
  const value = fromJson(jsonValue);
  return type === 'put' && value !== undefined ? { type, key, value } : undefined;
}
