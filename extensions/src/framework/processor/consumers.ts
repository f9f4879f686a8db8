/** What a processor reads: one worker and consumer for its topic, or those that one in Backbeat's form makes. */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { QueueProcessor } from '../contract/extension.js';
import type { Consumer } from '../queue/queue.js';
import { type AttemptLimits, settleMs } from './attempt.js';
import { MessageWorker, type MessageWorkerOptions } from './message-worker.js';

/** Part of STOP_GRACE_MS after which attempts are waited for no longer. */
const GIVE_UP_AFTER = 0.9;

export interface Reading {
  readonly topic: string;
  readonly group: string;
  readonly concurrency: number;
}

export type ConsumersOptions = Omit<MessageWorkerOptions, 'processor' | 'limits'> & {
  readonly limitsOf: (processor: QueueProcessor) => AttemptLimits;
};

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #readings: Reading[] = [];
  readonly #workers: MessageWorker[] = [];
  readonly #consumers: Consumer[] = [];
  #isPaused = false;

  constructor(options: ConsumersOptions) {
    this.#options = options;
  }

  /** @throws QueueError */
  async add(reading: Reading, processor: QueueProcessor): Promise<Consumer> {
    const { queue, limitsOf, metrics, ...others } = this.#options;
    const limits = limitsOf(processor);
    const worker = new MessageWorker({ ...others, queue, metrics, limits, processor });
    this.#workers.push(worker);
    const consumer = await queue.consume({
      ...reading,
      handle: (message, signal) => worker.work(message, signal),
      onLost: count => metrics.lost.inc(count),
      settleMs: settleMs(limits),
    });
    this.#consumers.push(consumer);
    this.#readings.push(reading);
    if (this.#isPaused) consumer.pause();
    return consumer;
  }

  pause(paused: boolean): void {
    this.#isPaused = paused;
    for (const consumer of this.#consumers) {
      if (paused) consumer.pause();
      else consumer.resume();
    }
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** What is read: for one in Backbeat's form not always the topic and the group of its section. */
  get readings(): readonly Reading[] {
    return this.#readings;
  }

  /** Age of the oldest message that is worked on, in seconds; 0 when there is none. */
  get oldestSeconds(): number {
    return Math.max(0, ...this.#workers.map(({ underWay }) => underWay.oldestSeconds));
  }

  get trouble(): string | undefined {
    return this.#workers.find(({ underWay }) => underWay.trouble !== undefined)?.underWay.trouble;
  }

  /** Resolves when no message is being worked on any more. Rejects with those that are, shortly before the process has to end. */
  async close(graceMs: number): Promise<void> {
    const closing = Promise.all(this.#consumers.map(consumer => consumer.close()));
    try {
      await withDeadline(closing, graceMs * GIVE_UP_AFTER, 'closing the consumer');
    } catch (err) {
      const left = this.#workers.flatMap(({ underWay }) => underWay.list());
      if (left.length === 0) throw err;
      const names = left.map(({ key, seconds }) => `${key} (${seconds} s)`).join(', ');
      throw new Error(`the time is over, and these messages are still being worked on: ${names}`, {
        cause: err,
      });
    }
  }
}
