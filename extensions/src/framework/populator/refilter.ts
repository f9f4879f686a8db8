/** Parked entries in a re-drive: the filter sees them again, once; what fails again is parked again. */
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry } from '@zenko-modules/common/probe-server';
import { type LogEntry, parseEntry } from '../contract/queue-populator-extension.js';
import { createPopulatorMetrics } from '../extension-metrics.js';
import type { ReceivedMessage } from '../queue/queue.js';
import { parkedAsBefore } from './parked-entry.js';
import { Filtering, type NamedFilter, type Outgoing } from './filtering.js';

/** What `parked` gives rise to now; itself when there is no filter, or it holds no entry. */
export async function refilter(
  named: NamedFilter | undefined,
  parked: ReceivedMessage,
  log: Logger,
): Promise<Outgoing> {
  const entry = entryOf(parked, log);
  if (!named || !entry) return parkedAsBefore(parked);
  const { type, bucket, key, value, timestamp } = entry;
  const filtering = new Filtering({
    named,
    attempts: 1,
    metrics: createPopulatorMetrics(createRegistry()),
    log,
    onTrouble: () => undefined,
  });
  const item = { timestamp, db: bucket, entries: [{ type, key, value }] };
  const batch = { items: [item], start: 1, next: { nextSeq: 2 }, atEnd: true };
  return (await filtering.run(batch, new AbortController().signal)) ?? new Map();
}

function entryOf({ value, topic, offset }: ReceivedMessage, log: Logger): LogEntry | undefined {
  try {
    return parseEntry(value);
  } catch (err) {
    log.error(
      { err, topic, offset },
      'a parked message says that it is an entry, and is none: it stays parked',
    );
    return undefined;
  }
}
