/**
 * What another program, such as CloudServer's own metadata daemon, has written to a store since this module closed it. By the
 * record log alone that cannot be told from a loss: other programs need not keep one. By the numbers of the writes it can.
 */
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { StoreAtRest } from '../leveldowns/plugin.js';
import { JUDGED_RECORDS } from '../record-log/missing-records.js';
import { parseRecord, recordKey } from '../record-log/record.js';
import { Database } from '../store/key-space.js';
import { sha256Of } from '../versioning/compare-and-swap.js';
import type { Acknowledged } from './newest-record.js';

/** The newest record that was acknowledged is there as it was, so nothing is missing that was written last. */
export interface ForeignWrites {
  /** The store's keys that the newest records of this module name, and that were written to since. */
  readonly keys: ReadonlySet<string>;
}

/**
 * To be asked before the store is opened. `undefined` when no other program has opened it since `closed` was noted, and
 * wherever it is not certain that all is there which was then.
 */
export async function findForeignWrites(
  store: StoreAtRest,
  closed: NonNullable<Acknowledged['closed']>,
  log: Logger,
): Promise<ForeignWrites | undefined> {
  if (store.opened <= closed.opened) return undefined;
  try {
    const told = await keysOfRecords(store, closed);
    if (told === undefined) return undefined;
    const ranges = [...told].map(key => ({ from: Buffer.from(key), to: Buffer.from(key) }));
    const keys = new Set<string>();
    for await (const { key, written } of store.entries(ranges))
      if (written > closed.lastWrite) keys.add(key.toString());
    return { keys };
  } catch (err) {
    log.warn({ err: messageOf(err) }, 'it cannot be told whether another program has written to the store');
    return undefined;
  }
}

/** Which the newest records of this module tell of; `undefined` when these are not what they were. */
async function keysOfRecords(
  store: StoreAtRest,
  { record, sha256, lastWrite }: NonNullable<Acknowledged['closed']>,
): Promise<ReadonlySet<string> | undefined> {
  const told = new Set<string>();
  const newest = recordKey(record);
  let isThere = record === 0;
  const range = {
    from: Buffer.from(recordKey(Math.max(record - JUDGED_RECORDS, 0))),
    to: Buffer.from(newest),
  };
  for await (const { key, value, written } of store.entries([range])) {
    if (written > lastWrite) return undefined;
    // The log is pruned.
    if (value === undefined) continue;
    const [storeKey, text] = [key.toString(), value.toString()];
    if (storeKey === newest && sha256Of(text) === sha256) isThere = true;
    const change = changeIn(storeKey, text);
    if (change !== undefined) told.add(change);
  }
  return isThere ? told : undefined;
}

/** The store's key that a record is about; `undefined` when it cannot be read, of which the start tells. */
function changeIn(storeKey: string, text: string): string | undefined {
  try {
    const { db, entries } = parseRecord(storeKey, text);
    return new Database(db.split('#')).keyOf(entries[0].key);
  } catch {
    return undefined;
  }
}
