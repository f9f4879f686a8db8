/** Place holders that a process before this one left behind when it stopped: the record log still tells of them. */
import type { Logger } from '@zenko-modules/common/logger';
import type { RecordLog } from '../record-log/record-log.js';
import { Database } from '../store/key-space.js';
import type { VersionedStore } from './versioned-store.js';
import { isPlaceHolder } from './version-value.js';

/** So long, by the clock of the log, a module may stop and start again and never live long enough for a repair. */
const LOOK_BACK_MS = 60 * 60 * 1000;
const MAX_RECORDS = 50_000;

/** Schedules the repair of every master that may still be a place holder. */
export async function resumeRepairs(
  recordLog: RecordLog,
  databases: VersionedStore,
  log: Logger,
): Promise<void> {
  const onDamaged = (err: unknown): void => {
    log.warn({ err }, 'a place holder that this record may tell of waits for a get of its key');
  };
  let oldest: number | undefined;
  let seen = 0;
  for await (const { timestamp, db, entries } of recordLog.backwards(onDamaged)) {
    const time = Date.parse(timestamp);
    oldest ??= time - LOOK_BACK_MS;
    seen += 1;
    if (time < oldest || seen > MAX_RECORDS) return;
    const [{ key, value }] = entries;
    if (value !== undefined && isPlaceHolder(value)) databases.repairLater(new Database(db.split('#')), key);
  }
}
