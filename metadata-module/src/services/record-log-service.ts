/** The calls of namespace /MDFile/recordLog. */
import { CatalogueError } from '@zenko-modules/common/errors';
import { type RpcCall, type RpcService, StreamResult } from '@zenko-modules/common/rpc/service';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/common/rpc/wire';
import { RECORD_LOG_NAME } from '../record-log/record.js';
import type { RecordLog } from '../record-log/record-log.js';
import { checkRecordRange } from './arguments.js';

export function recordLogService(log: RecordLog): RpcService {
  return {
    namespace: RECORD_LOG_NAMESPACE,
    calls: {
      readRecords: async ({ logName, args: [range] }: RpcCall) => {
        checkLogName(logName);
        const { info, log: items } = await Promise.resolve(log.read(checkRecordRange(range)));
        return { info, log: new StreamResult(items) };
      },

      pruneRecords: () => Promise.reject(new CatalogueError('NotImplemented')),

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
