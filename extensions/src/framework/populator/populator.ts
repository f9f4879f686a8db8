/**
 * Follows the record log for several extensions. Each goes its own way through it, so that a topic that
 * refuses, or a filter that fails, holds up its own extension only: see `Lane`.
 */
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import type { Queue } from '../queue/queue.js';
import type { Lease } from '../files/lease.js';
import { BacklogGate } from './backlog-gate.js';
import { type CursorPlace, Cursors } from './cursor.js';
import type { NamedFilter } from './filtering.js';
import { Lane } from './lane.js';
import type { RecordLogReader } from './record-log-reader.js';
import { SharedLog } from './shared-log.js';
import { type TopicReader, UnreadTopics } from './unread-topics.js';

export interface PopulatorOptions {
  readonly reader: RecordLogReader;
  readonly queue: Queue;
  readonly filters: readonly NamedFilter[];
  /** Who reads what is published, when all processors run. */
  readonly readers: readonly TopicReader[];
  /** Attempts of a filter before an entry is parked. */
  readonly filterAttempts: number;
  /** Records that are filtered and published before the offset is saved. */
  readonly batchRecords: number;
  readonly metrics: PopulatorMetrics;
  readonly log: Logger;
}

/** Reads along where no extension has a filter, so that the log need not be kept for us. */
const NOBODY: NamedFilter = { name: '', filter: {} };

interface Running {
  readonly log: SharedLog;
  readonly lanes: readonly Lane[];
}

export class Populator {
  readonly #options: PopulatorOptions;
  #running: Running | undefined;

  constructor(options: PopulatorOptions) {
    this.#options = options;
  }

  /** Why nothing, or not all, is populated at the moment; `undefined` when all is well. */
  get trouble(): string | undefined {
    if (!this.#running) return 'the record log has not been read yet';
    const { log, lanes } = this.#running;
    const troubles = [log.trouble, ...lanes.map(({ trouble }) => trouble)];
    return troubles.filter(trouble => trouble !== undefined).join('; ') || undefined;
  }

  /**
   * Runs until `signal` is aborted; what was read is published and saved before. @throws StartError
   * @param place where the offsets are kept
   * @param lease the right to work
   */
  async run(place: CursorPlace, lease: Pick<Lease, 'confirm'>, signal: AbortSignal): Promise<void> {
    const { reader, queue, readers, filterAttempts, batchRecords, metrics, log } = this.#options;
    const filters = this.#options.filters.length > 0 ? this.#options.filters : [NOBODY];
    const names = filters.map(({ name }) => name);
    const cursors = await Cursors.load(place, names);
    await cursors.begin();
    log.info({ nextSeq: cursors.lowest.nextSeq, extensions: names }, 'following the record log');
    const unread = new UnreadTopics({ queue, readers, log });
    const lanes = filters.map(named => {
      const child = log.child({ extension: named.name });
      const gate = new BacklogGate({ queue, readers, maxBacklog: named.maxBacklog, log: child });
      return new Lane({
        named,
        filterAttempts,
        batchRecords,
        cursors,
        queue,
        fence: () => lease.confirm(),
        unread,
        gate,
        metrics,
        log: child,
      });
    });
    const shared = new SharedLog({
      reader,
      metrics,
      log,
      signal,
      lowest: () => cursors.lowest,
      onLost: () => {
        for (const lane of lanes) lane.lostSight();
      },
    });
    this.#running = { log: shared, lanes };
    metrics.observe(() => ({
      nextSeq: cursors.lowest.nextSeq,
      behind: lanes.map((lane, index) => [names[index] ?? '', lane.behindSeconds]),
    }));
    try {
      await Promise.all(lanes.map(lane => lane.run(shared, signal)));
    } finally {
      this.#running = undefined;
      unread.close();
    }
  }
}
