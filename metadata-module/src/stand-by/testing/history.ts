/** What the whole record log tells of writers that never send a number twice. */
import assert from 'node:assert/strict';
import type { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import type { LogItem } from '../../record-log/record.js';
import type { Writer } from '../../testing/load.js';

/**
 * Every key, and every version, was written with each number once at most, and in the order in which they were
 * sent; and ids of versions that were acknowledged have the order of their writes (a newer one sorts first).
 */
export async function checkHistory(client: RpcClient, writers: readonly Writer[]): Promise<void> {
  const newest = new Map<string, number>();
  const { log } = (await client.call('readRecords', { rpcArgs: [{}] })) as { log: RpcStream };
  for await (const item of log) {
    const [{ type, key, value }] = (item as LogItem).entries;
    if (type !== 'put') continue;
    const { n } = JSON.parse(value ?? '') as { n: number };
    const [name = '', versionId] = key.split('\0');
    const kind = versionId === undefined ? name : `versions of ${name}`;
    const before = newest.get(kind) ?? 0;
    assert.ok(n > before, `${kind}: number ${n} was written after ${before}`);
    newest.set(kind, n);
  }
  for (const { versions } of writers) {
    const last = new Map<string, string>();
    for (const { key, versionId } of versions) {
      const before = last.get(key);
      assert.ok(before === undefined || versionId < before, `${key}: version ${versionId} after ${before}`);
      last.set(key, versionId);
    }
  }
}
