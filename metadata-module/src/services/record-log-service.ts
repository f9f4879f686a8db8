/**
 * The calls of namespace /MDFile/recordLog.
 *
 * A reader that must not miss anything names itself: `readRecords({ startSeq, limit, reader: 'populator' })`.
 * From then on the log keeps every record from `startSeq` on, until the reader asks for later ones, across
 * restarts. `forgetReader('populator')` ends that. Readers that give no name, such as Backbeat's, find the
 * newest RECORD_LOG_MAX_RECORDS records.
 *
 * Where several processes stand for one reader, one of them holds it: `holdReader({ reader, holder, leaseMs })`,
 * again within `leaseMs`, and saves for the others what it has reached.
 *
 * A reader that has read everything waits with `awaitRecords`, instead of asking again and again.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type RpcCall, type RpcService, StreamResult } from '@zenko-modules/rpc/service';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import type { LogReaders } from '../record-log/log-readers.js';
import type { ReaderHolders } from '../record-log/reader-holders.js';
import { RECORD_LOG_NAME } from '../record-log/record.js';
import type { RecordLog } from '../record-log/record-log.js';
import type { RecordWaiters } from '../record-log/record-waiters.js';
import type { Retention } from '../record-log/retention.js';
import type { OpenLevel } from '../store/open-level.js';
import type { Recovery } from '../store/recovery.js';
import {
  checkPruneRange,
  checkReader,
  checkReaderHold,
  checkReaderPlace,
  checkRecordRange,
} from './arguments.js';
import { checkRecordWait } from './await-records.js';

export interface RecordLogServiceOptions {
  readonly store: OpenLevel;
  readonly recordLog: RecordLog;
  readonly readers: LogReaders;
  readonly holders: ReaderHolders;
  readonly retention: Retention;
  readonly recovery: Recovery;
  readonly waiters: RecordWaiters;
  readonly log: Logger;
}

export function recordLogService({
  store,
  recordLog,
  readers,
  holders,
  retention,
  recovery,
  waiters,
  log,
}: RecordLogServiceOptions): RpcService {
  return {
    namespace: RECORD_LOG_NAMESPACE,
    calls: {
      /** `({ startSeq?, endSeq?, limit?, reader? })` → `{ info: { start, end }, log }`. */
      readRecords: async ({ logName, args: [options] }: RpcCall) => {
        checkLogName(logName);
        const { reader, ...range } = checkRecordRange(options);
        await recovery.readable();
        if (reader !== undefined) {
          await readers.note(reader, Math.min(range.startSeq ?? recordLog.first, recordLog.last + 1));
        }
        const { info, log: records } = await recordLog.read(range, err => {
          log.error({ err }, 'a record cannot be read: its reader gets an empty one in its place');
        });
        return { info, log: new StreamResult(records) };
      },

      /**
       * `({ startSeq, timeoutMs? })` → `{ last }`, the newest record's number: when record `startSeq` or a
       * later one is there, or after `timeoutMs`, at most some seconds, without it.
       */
      awaitRecords: async ({ logName, args: [options], gone }: RpcCall) => {
        checkLogName(logName);
        const { startSeq, timeoutMs } = checkRecordWait(options);
        await waiters.wait({ startSeq, timeoutMs, signal: gone });
        return { last: recordLog.last };
      },

      /** `({ endSeq? })` → `{ pruned, start, end }`: see `Retention.prune`. */
      pruneRecords: async ({ logName, args: [options] }: RpcCall) => {
        checkLogName(logName);
        return retention.prune(checkPruneRange(options).endSeq);
      },

      /** → `{ first, last, readers }`: the numbers of the oldest and the newest record, and where each reader is. */
      listReaders: async ({ logName }: RpcCall) => {
        checkLogName(logName);
        await recovery.readable();
        const { first, last } = recordLog;
        return { first, last, readers: readers.list(last) };
      },

      /** `(reader)`: records need not be kept for it any more, nor who holds it and what was saved for it. */
      forgetReader: async ({ logName, args: [reader] }: RpcCall) => {
        checkLogName(logName);
        const name = checkReader(reader);
        await readers.forget(name);
        await holders.forget(name);
      },

      /** `({ reader, holder, leaseMs })` → `{ holder, places }`: who holds the reader now, see `ReaderHolders.hold`. */
      holdReader: async ({ logName, args: [options] }: RpcCall) => {
        checkLogName(logName);
        const request = checkReaderHold(options);
        // Who holds a reader is in memory, and another process may own the store by now.
        await recovery.certain();
        await store.ping();
        return holders.hold(request);
      },

      /** `({ reader, holder, name, place })` → `{ saved }`, false when another process holds the reader. */
      saveReaderPlace: async ({ logName, args: [options] }: RpcCall) => {
        checkLogName(logName);
        const { reader, holder, name, place } = checkReaderPlace(options);
        return { saved: await holders.save(reader, holder, name, place) };
      },

      // Named in the manifest of CloudServer's daemon, where it is not for clients either.
      createLogRecordOps: () => Promise.reject(new CatalogueError('NotImplemented')),
    },
  };
}

function checkLogName(logName: unknown): void {
  if (logName !== undefined && logName !== RECORD_LOG_NAME) {
    throw new CatalogueError('InvalidArgument', `logName: the only log is ${RECORD_LOG_NAME}`);
  }
}
