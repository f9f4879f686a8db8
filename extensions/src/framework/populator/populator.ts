/**
 * Follows the record log: reads a batch, gives it to the filters, publishes what they want, saves the offset.
 * At least once: a crash in between publishes the messages of one batch again. In order: one batch after the
 * other, and in a batch in the order of the log.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import { type Message, type Queue, QueueError } from '../queue/queue.js';
import { loadCursor, saveCursor } from './cursor.js';
import { filterBatch, type NamedFilter, type Outgoing } from './filtering.js';
import type { Batch, RecordLogReader } from './record-log-reader.js';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5000;
const REMIND_EVERY_MS = 60_000;

export interface PopulatorOptions {
  /** Where the offset is kept. */
  readonly folder: string;
  readonly reader: RecordLogReader;
  readonly queue: Queue;
  readonly filters: readonly NamedFilter[];
  readonly pollMs: number;
  readonly metrics: PopulatorMetrics;
  readonly log: Logger;
}

export class Populator {
  readonly #options: PopulatorOptions;
  #trouble: string | undefined = 'the record log has not been read yet';

  constructor(options: PopulatorOptions) {
    this.#options = options;
  }

  /** Why nothing is populated at the moment; `undefined` when all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Runs until `signal` is aborted; what was read is published and saved before. @throws StartError */
  async run(signal: AbortSignal): Promise<void> {
    const { folder, reader, metrics, pollMs, log } = this.#options;
    let cursor = await loadCursor(folder);
    log.info({ nextSeq: cursor.nextSeq }, 'following the record log');
    while (!signal.aborted) {
      const batch = await this.#insist('read the record log', signal, () => reader.read(cursor));
      if (!batch) return;
      this.#tell(batch, cursor.nextSeq);
      const published = await this.#publish(batch, signal);
      if (!published) return;
      if (batch.items.length > 0 || batch.reset) {
        const saved = await this.#insist('save the offset', signal, async () => {
          await saveCursor(folder, batch.next);
          return true;
        });
        if (!saved) return;
      }
      cursor = batch.next;
      metrics.records.inc(batch.items.length);
      metrics.offset.set(cursor.nextSeq);
      metrics.behind.set(batch.atEnd ? 0 : ageOf(batch));
      if (batch.atEnd) await sleep(pollMs, signal);
    }
  }

  #tell({ reset, start, items }: Batch, expected: number): void {
    const { metrics, log } = this.#options;
    if (!reset) return;
    metrics.resets.inc({ reason: reset });
    if (reset === 'pruned') {
      log.error(
        { expected, start },
        `${start - expected} records were pruned before they were read: they are lost`,
      );
    } else {
      const where = { expected, start, records: items.length };
      log.error(
        where,
        'the record log is not the one read before (restored or emptied?): reading it from its start',
      );
    }
  }

  /** @returns false when `signal` was aborted first. */
  async #publish(batch: Batch, signal: AbortSignal): Promise<boolean> {
    const { filters, metrics, log } = this.#options;
    const outgoing = await filterBatch(batch, filters, metrics, log);
    for (const [topic, ofTopic] of byTopic(outgoing)) {
      const done = await this.#insist(`publish to ${topic}`, signal, async () => {
        await this.#publishTopic(topic, ofTopic);
        return true;
      });
      if (!done) return false;
      for (const { extension } of ofTopic) metrics.published.inc({ extension, topic });
    }
    return true;
  }

  async #publishTopic(topic: string, outgoing: readonly Outgoing[]): Promise<void> {
    const { queue, metrics, log } = this.#options;
    try {
      await queue.publish(
        topic,
        outgoing.map(({ message }) => message),
      );
    } catch (err) {
      if (!isTooLarge(err)) throw err;
      for (const { message, extension } of outgoing) {
        await this.#publishOne(topic, message).catch((oneError: unknown) => {
          if (!isTooLarge(oneError)) throw oneError;
          metrics.poisoned.inc({ reason: 'size', extension });
          log.error(
            { err: oneError, topic, key: message.key },
            'passed over an entry: its message is too large',
          );
        });
      }
    }
  }

  async #publishOne(topic: string, message: Message): Promise<void> {
    await this.#options.queue.publish(topic, [message]);
  }

  /** Tries until it succeeds; `undefined` when `signal` was aborted first. */
  async #insist<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const stopped = (): boolean => signal.aborted;
    let remindAt = 0;
    for (let pause = RETRY_MIN_MS; !stopped(); pause = Math.min(pause * 2, RETRY_MAX_MS)) {
      try {
        const result = await work();
        if (remindAt > 0) this.#options.log.info(`could ${what} again`);
        this.#trouble = undefined;
        return result;
      } catch (err) {
        if (stopped()) return undefined;
        this.#trouble = `cannot ${what}: ${messageOf(err)}`;
        if (Date.now() >= remindAt) {
          this.#options.log.warn({ err }, `cannot ${what}: trying again until it succeeds`);
          remindAt = Date.now() + REMIND_EVERY_MS;
        }
        await sleep(pause * (0.5 + Math.random() / 2), signal);
      }
    }
    return undefined;
  }
}

function byTopic(outgoing: readonly Outgoing[]): Map<string, Outgoing[]> {
  const topics = new Map<string, Outgoing[]>();
  for (const one of outgoing) {
    const others = topics.get(one.topic);
    if (others) others.push(one);
    else topics.set(one.topic, [one]);
  }
  return topics;
}

function isTooLarge(err: unknown): boolean {
  return err instanceof QueueError && err.code === 'MESSAGE_TOO_LARGE';
}

function ageOf({ items }: Batch): number {
  const age = Date.now() - Date.parse(items.at(-1)?.timestamp ?? '');
  return Number.isNaN(age) ? 0 : Math.max(0, age / 1000);
}
