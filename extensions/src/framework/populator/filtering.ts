/** Gives the entries of a batch to each extension's filter and gathers what they publish, in the order of the log. */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { type EntryFilter, type LogEntry, runFilter } from '../contract/queue-populator-extension.js';
import type { PopulatorMetrics } from '../extension-metrics.js';
import { isTopicName, type Message } from '../queue/queue.js';
import type { Batch } from './record-log-reader.js';

/** A filter that has not settled by then counts as failed. */
const FILTER_DEADLINE_MS = 30_000;

export interface NamedFilter {
  readonly name: string;
  readonly filter: EntryFilter;
}

/** A message and who published it. */
export interface Outgoing {
  readonly extension: string;
  readonly topic: string;
  readonly message: Message;
}

/** Never rejects: an entry that cannot be read, or that a filter throws for, is logged, counted and passed over. */
export async function filterBatch(
  batch: Batch,
  filters: readonly NamedFilter[],
  metrics: PopulatorMetrics,
  log: Logger,
): Promise<Outgoing[]> {
  const outgoing: Outgoing[] = [];
  for (const [index, item] of batch.items.entries()) {
    const seq = batch.start + index;
    if (!item) {
      metrics.poisoned.inc({ reason: 'record', extension: '' });
      log.error({ seq }, 'passed over a record that cannot be read');
      continue;
    }
    for (const { type, key, value } of item.entries) {
      const entry: LogEntry = { type, bucket: item.db, key, value, timestamp: item.timestamp };
      for (const { name, filter } of filters) {
        try {
          const found = await withDeadline(
            runFilter(filter, entry),
            FILTER_DEADLINE_MS,
            `the filter of ${name}`,
          );
          for (const { topic, key: messageKey, value: text } of found) {
            if (!isTopicName(topic)) throw new Error(`it published to "${topic}", which is no topic name`);
            outgoing.push({ extension: name, topic, message: { key: messageKey, value: text } });
          }
        } catch (err) {
          metrics.poisoned.inc({ reason: 'filter', extension: name });
          log.error(
            { err, seq, extension: name, bucket: item.db, key },
            'passed over an entry: its filter failed',
          );
        }
      }
    }
  }
  return outgoing;
}
