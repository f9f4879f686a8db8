/** The record log of a metadata module of a test, as a populator reads it. */
import type { LogEntry } from '../framework/contract/queue-populator-extension.js';
import { LOG_START } from '../framework/populator/cursor.js';
import { RecordLogReader } from '../framework/populator/record-log-reader.js';
import type { MetadataProcess } from './stack.js';

export interface RecordedChanges {
  /** What has been written since the last call; at first since the log began. */
  readonly next: () => Promise<LogEntry[]>;
}

export function followChanges({ recordLog: client }: MetadataProcess): RecordedChanges {
  const reader = new RecordLogReader({ client, name: 'test', batchRecords: 1000, pollMs: 10 });
  let cursor = LOG_START;
  const next = async (): Promise<LogEntry[]> => {
    const entries: LogEntry[] = [];
    for (;;) {
      const batch = await reader.read(cursor);
      cursor = batch.next;
      for (const item of batch.items) {
        if (!item) throw new Error('the log has a record that cannot be read');
        const { db: bucket, timestamp } = item;
        for (const { type, key, value } of item.entries)
          entries.push({ type, bucket, key, value, timestamp });
      }
      if (batch.atEnd) return entries;
    }
  };
  return { next };
}
