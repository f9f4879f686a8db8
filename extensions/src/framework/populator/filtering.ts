/**
 * Gives the entries of a batch to the filter of one extension, one after the other, and gathers what it
 * publishes, in the order of the log. A filter that fails is tried again with growing pauses, then its entry
 * is parked: nothing is lost, and nothing waits for ever.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { isPermanent } from '../contract/processor-errors.js';
import {
  type EntryFilter,
  type LogEntry,
  logEntry,
  type Publication,
  startFilter,
} from '../contract/queue-populator-extension.js';
import type { PopulatorMetrics } from '../extension-metrics.js';
import { isTopicName, type Message } from '../queue/queue.js';
import type { Origin } from '../queue/too-large.js';
import { FilterPatience } from './filter-patience.js';
import { pauseAfter } from './insist.js';
import { failedTopicOfExtension, parkedEntry } from './parked-entry.js';
import type { Batch } from './record-log-reader.js';

/** A filter that has not settled by then counts as failed; … */
const FILTER_DEADLINE_MS = 30_000;
/** … it has so long when it has failed for so long that no patience is left. */
const IMPATIENT_DEADLINE_MS = 1000;
/** After so many records others get a turn: the next ones come in meanwhile, and the metadata module need not wait. */
const TURN_RECORDS = 64;
/** From this pause on it is no hiccup. */
const TROUBLE_FROM_MS = 1000;

export interface NamedFilter {
  readonly name: string;
  readonly filter: EntryFilter;
  /** The topic of its section. */
  readonly topic?: string | undefined;
  /** Messages that may wait in a topic before no more are published. */
  readonly maxBacklog?: number | undefined;
}

export interface OutgoingMessage extends Message {
  readonly origin?: Origin;
}

/** What is to be published, by topic, in order. */
export type Outgoing = ReadonlyMap<string, readonly OutgoingMessage[]>;

export interface FilteringOptions {
  readonly named: NamedFilter;
  /** Attempts before an entry is parked. */
  readonly attempts: number;
  readonly metrics: PopulatorMetrics;
  readonly log: Logger;
  readonly onTrouble: (trouble: string | undefined) => void;
  readonly patience?: FilterPatience;
}

export class Filtering {
  readonly #options: FilteringOptions;
  readonly #patience: FilterPatience;
  readonly #failedTopic: string;

  constructor(options: FilteringOptions) {
    this.#options = options;
    this.#patience = options.patience ?? new FilterPatience();
    this.#failedTopic = failedTopicOfExtension(options.named.name, options.named.topic);
  }

  /** Never rejects; `undefined` when `signal` was aborted while a filter was tried again. */
  async run({ items, start }: Batch, signal: AbortSignal): Promise<Outgoing | undefined> {
    const outgoing = new Map<string, OutgoingMessage[]>();
    for (const [index, item] of items.entries()) {
      if (index % TURN_RECORDS === TURN_RECORDS - 1) await nextTurn();
      if (!item) continue;
      const { db, timestamp, reqUids } = item;
      for (const { type, key, value } of item.entries) {
        const entry = logEntry(type, db, key, value, timestamp, reqUids);
        try {
          // Most filters are synchronous: those cost no promise and no timer.
          const found = startFilter(this.#options.named.filter, entry);
          const publications = found instanceof Promise ? await this.#inTime(found) : found;
          addPublications(outgoing, publications, entry, start + index);
          this.#tell(entry, publications);
        } catch (err) {
          if (!(await this.#tryAgain(entry, start + index, err, outgoing, signal))) return undefined;
        }
      }
    }
    return outgoing;
  }

  /** Until it succeeds or the entry is parked; `false` when `signal` was aborted first. */
  async #tryAgain(
    entry: LogEntry,
    seq: number,
    first: unknown,
    outgoing: Map<string, OutgoingMessage[]>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { named, attempts, metrics, log, onTrouble } = this.#options;
    const { name, filter } = named;
    const what = { extension: name, bucket: entry.bucket, key: entry.key };
    let err = first;
    for (let attempt = 1; ; attempt++) {
      metrics.filterFailures.inc({ extension: name });
      if (isPermanent(err) || attempt >= attempts || this.#patience.left() === 0) {
        const parked = parkedEntry(name, entry, err, attempt);
        add(outgoing, this.#failedTopic, { ...parked, origin: originOf(entry, seq) });
        metrics.parked.inc({ extension: name, topic: this.#failedTopic });
        log.error(
          { err, ...what, topic: this.#failedTopic, attempts: attempt },
          'parked an entry: its filter failed',
        );
        break;
      }
      if (attempt === 1) log.warn({ err, ...what }, 'a filter failed: trying again');
      const pause = pauseAfter(attempt);
      if (pause >= TROUBLE_FROM_MS) onTrouble(`its filter fails: ${messageOf(err)}`);
      await sleep(pause, signal);
      this.#patience.spend(pause);
      if (signal.aborted) return false;
      try {
        const found = startFilter(filter, entry);
        const publications = found instanceof Promise ? await this.#inTime(found) : found;
        addPublications(outgoing, publications, entry, seq);
        break;
      } catch (again) {
        err = again;
      }
    }
    onTrouble(undefined);
    return true;
  }

  /** For who follows a request. */
  #tell({ reqUids, bucket, key }: LogEntry, publications: readonly Publication[]): void {
    const { log } = this.#options;
    if (publications.length === 0 || !log.isLevelEnabled('debug')) return;
    const topics = publications.map(({ topic }) => topic);
    log.debug({ reqUids, bucket, key, topics }, 'to be published');
  }

  async #inTime(work: Promise<readonly Publication[]>): Promise<readonly Publication[]> {
    const deadline = this.#patience.left() > 0 ? FILTER_DEADLINE_MS : IMPATIENT_DEADLINE_MS;
    const started = performance.now();
    try {
      return await withDeadline(work, deadline, `the filter of ${this.#options.named.name}`);
    } catch (err) {
      this.#patience.spend(performance.now() - started);
      throw err;
    }
  }
}

/** All of them or none. @throws Error for what is no topic name. */
function addPublications(
  outgoing: Map<string, OutgoingMessage[]>,
  found: readonly Publication[],
  entry: LogEntry,
  seq: number,
): void {
  if (found.length === 0) return;
  for (const { topic } of found) {
    if (!outgoing.has(topic) && !isTopicName(topic)) {
      throw new Error(`it published to "${topic}", which is no topic name`);
    }
  }
  const origin = originOf(entry, seq);
  for (const { topic, key, value } of found) add(outgoing, topic, { key, value, origin });
}

function add(outgoing: Map<string, OutgoingMessage[]>, topic: string, message: OutgoingMessage): void {
  const messages = outgoing.get(topic);
  if (messages) messages.push(message);
  else outgoing.set(topic, [message]);
}

function originOf({ bucket, key }: LogEntry, seq: number): Origin {
  return { seq, bucket, key };
}
