import { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';

export interface LogItem {
  readonly timestamp: string;
  readonly db: string;
  readonly entries: readonly {
    readonly type: 'put' | 'del';
    readonly key: string;
    readonly value?: string;
  }[];
}

/** Every record of the module's log, read as Backbeat reads it. */
export async function readRecordLog(metadataPort: number): Promise<LogItem[]> {
  const client = new RpcClient({ url: `http://127.0.0.1:${metadataPort}`, namespace: RECORD_LOG_NAMESPACE });
  try {
    const result = (await client.call('readRecords', {
      rpcArgs: [{}],
      subLevel: [],
      logName: 's3-recordlog',
    })) as { log: unknown };
    if (!(result.log instanceof RpcStream)) throw new Error('readRecords answered no stream');
    const items: LogItem[] = [];
    for await (const item of result.log) items.push(item as LogItem);
    return items;
  } finally {
    client.close();
  }
}
