/** Records of the log: how one is stored, and how a reader gets it. Never change the stored form on filled storage. */
import { CatalogueError } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import { Database } from '../store/key-space.js';

export const RECORD_LOG_NAME = 's3-recordlog';
export const RECORD_LOGS_DATABASE = '..recordLogs';
export const RECORD_LOG = new Database([RECORD_LOGS_DATABASE, RECORD_LOG_NAME]);

const DIGITS = 16;

/** One change of one key. */
export type KeyOperation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

/** What a reader of the log gets for one sequence number. */
export interface LogItem {
  /** ISO 8601; the time at which the change was written. */
  readonly timestamp: string;
  readonly db: string;
  readonly entries: readonly [
    { readonly type: 'put' | 'del'; readonly key: string; readonly value?: string },
  ];
  /** The ids of the request that made the change, where its sender gave some. */
  readonly reqUids?: string;
}

/** Stands for a record that cannot be read, so that one item stays one sequence number. It tells of no change. */
export interface DamagedItem {
  readonly timestamp: string;
  readonly db: '';
  readonly entries: readonly [];
  readonly damaged: true;
}

export const DAMAGED_ITEM: DamagedItem = {
  timestamp: new Date(0).toISOString(),
  db: '',
  entries: [],
  damaged: true,
};

/** The store's key of record `seq`. */
export function recordKey(seq: number): string {
  return RECORD_LOG.keyOf(String(seq).padStart(DIGITS, '0'));
}

/** The number of the record under a key of the log; `undefined` when the key is none of a record's. */
export function seqIn(storeKey: string): number | undefined {
  const digits = RECORD_LOG.nameOf(storeKey);
  return /^\d{16}$/.test(digits) ? Number(digits) : undefined;
}

/** @throws LevelError LEVEL_CORRUPT when the key is not one of a record. */
export function seqOf(storeKey: string): number {
  const seq = seqIn(storeKey);
  if (seq === undefined) throw new LevelError(LEVEL_ERRORS.corrupt, foreignKey(storeKey));
  return seq;
}

/** What is said of a key of the log that is none of a record's: a damaged one, in all that was seen. */
export function foreignKey(storeKey: string): string {
  return `the record log holds the key ${JSON.stringify(storeKey)}, which is none of a record`;
}

export function recordValue(
  db: string,
  operation: KeyOperation,
  timestamp: string,
  reqUids?: string,
): string {
  const { type, key } = operation;
  const value = operation.type === 'put' ? operation.value : undefined;
  return JSON.stringify({ type, db, key, value, timestamp, reqUids });
}

/** @throws CatalogueError InternalError when what is stored is no record. */
export function parseRecord(storeKey: string, stored: string): LogItem {
  try {
    const { timestamp, db, type, key, value, reqUids } = checkRecord(JSON.parse(stored));
    const item = {
      timestamp,
      db,
      entries: [value === undefined ? { type, key } : { type, key, value }],
    } as const;
    return reqUids === undefined ? item : { ...item, reqUids };
  } catch (err) {
    throw new CatalogueError('InternalError', `record ${seqOf(storeKey)} of the log is damaged`, {
      cause: err,
    });
  }
}

interface StoredRecord {
  readonly type: 'put' | 'del';
  readonly db: string;
  readonly key: string;
  readonly value?: string;
  readonly timestamp: string;
  /** Records that were written before lack it. */
  readonly reqUids?: string;
}

/** By hand: a reader that catches up has hundreds of thousands of them parsed. @throws TypeError */
function checkRecord(parsed: unknown): StoredRecord {
  const record = (typeof parsed === 'object' && parsed !== null ? parsed : {}) as Partial<StoredRecord>;
  const { type, value, reqUids } = record;
  if (type !== 'put' && type !== 'del') throw new TypeError('type: expected put or del');
  if (value !== undefined && typeof value !== 'string') throw new TypeError('value: expected a text');
  if (reqUids !== undefined && typeof reqUids !== 'string') throw new TypeError('reqUids: expected a text');
  for (const name of ['db', 'key', 'timestamp'] as const) {
    if (typeof record[name] !== 'string') throw new TypeError(`${name}: expected a text`);
  }
  return record as StoredRecord;
}
