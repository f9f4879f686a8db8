/** Place holders that a process before this one left behind when it stopped: the record log still tells of them. */
import type { RecordLog } from '../record-log/record-log.js';
import { Database } from '../store/key-space.js';
import { REPAIR_DELAY_MS } from './repair-schedule.js';
import type { VersionedStore } from './versioned-store.js';
import { isPlaceHolder } from './version-value.js';

/** A place holder is written at most this long before the last record, or it has been repaired. */
const LOOK_BACK_MS = 2 * REPAIR_DELAY_MS;
const MAX_RECORDS = 50_000;

/** Schedules the repair of every master that may still be a place holder. */
export async function resumeRepairs(recordLog: RecordLog, databases: VersionedStore): Promise<void> {
  let oldest: number | undefined;
  let seen = 0;
  for await (const { timestamp, db, entries } of recordLog.backwards()) {
    const time = Date.parse(timestamp);
    oldest ??= time - LOOK_BACK_MS;
    seen += 1;
    if (time < oldest || seen > MAX_RECORDS) return;
    const [{ key, value }] = entries;
    if (value !== undefined && isPlaceHolder(value)) databases.repairLater(new Database(db.split('#')), key);
  }
}
