/**
 * Place holders that a process before this one left behind when it stopped: the record log still tells of
 * them. They are looked for while clients are being served: a `get` of one answers the newest version anyway.
 */
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { RecordLog } from '../record-log/record-log.js';
import { Database } from '../store/key-space.js';
import type { VersionedDatabases } from './versioned-databases.js';
import { isPlaceHolder } from './version-value.js';

/** So long, by the clock of the log, a module may stop and start again and never live long enough for a repair. */
const LOOK_BACK_MS = 60 * 60 * 1000;
const MAX_RECORDS = 50_000;
/** After a read that was cut short, by a store that was opened again say. */
const PAUSE_MS = 1000;

export interface LostRepairsOptions {
  readonly recordLog: RecordLog;
  readonly databases: VersionedDatabases;
  readonly log: Logger;
  /** Ends the search. */
  readonly signal: AbortSignal;
}

/**
 * Schedules the repair of every master that may still be a place holder. Resolves when that is done, or soon
 * after `signal` is aborted; never rejects. A read that fails is gone on with where it was.
 */
export async function resumeRepairs({
  recordLog,
  databases,
  log,
  signal,
}: LostRepairsOptions): Promise<void> {
  const onDamaged = (err: unknown): void => {
    log.warn({ err }, 'a place holder that this record may tell of waits for a get of its key');
  };
  let oldest: number | undefined;
  let upTo = recordLog.last;
  const end = upTo - MAX_RECORDS;
  const stopped = (): boolean => signal.aborted;
  while (!stopped()) {
    try {
      for await (const { seq, item } of recordLog.backwards(upTo, onDamaged)) {
        const time = Date.parse(item.timestamp);
        oldest ??= time - LOOK_BACK_MS;
        if (time < oldest || seq <= end || stopped()) return;
        const [{ key, value }] = item.entries;
        if (value !== undefined && isPlaceHolder(value)) {
          databases.repairLater(new Database(item.db.split('#')), key);
        }
        upTo = seq - 1;
      }
      return;
    } catch (err) {
      log.warn({ err, record: upTo }, 'the search for place holders was cut short, and goes on');
      await sleep(PAUSE_MS, signal);
    }
  }
}
