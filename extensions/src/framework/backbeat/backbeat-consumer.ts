/** Backbeat's `BackbeatConsumer` over our queue. */
import { EventEmitter } from 'node:events';
import type { QueueProcessor } from '../contract/extension.js';
import type { Consumer, ReceivedMessage } from '../queue/queue.js';
import { type BackbeatHost, currentHost } from './host.js';
import {
  answerMetadata,
  type Callback,
  type MetadataParams,
  settle,
  type TopicMetadata,
} from './metadata.js';

/** `committable: false`: the entry is done only when `onEntryCommittable` was called with it. */
export type EntryDone = (err?: unknown, completion?: { readonly committable?: boolean } | null) => void;

export interface BackbeatConsumerConfig {
  readonly topic: string;
  readonly groupId: string;
  readonly concurrency?: number;
  readonly queueProcessor: (entry: ReceivedMessage, done: EntryDone) => void;
  /** `kafka`, `zookeeper`, `fetchMaxBytes`, …: the configuration of the processor says these. */
  readonly [other: string]: unknown;
}

/**
 * Emits `ready` soon after it was made, and hands out messages after `subscribe()`; emits `error` when it cannot.
 * What fails is tried again and parked by the runner, and counts in its metrics.
 */
export class BackbeatConsumer extends EventEmitter {
  readonly #host: BackbeatHost;
  readonly #config: BackbeatConsumerConfig;
  readonly #uncommitted = new WeakMap<ReceivedMessage, () => void>();
  #consumer: Promise<Consumer> | undefined;
  #ready = false;

  /** @throws Error when a field is missing, and outside of a processor. */
  constructor(config: BackbeatConsumerConfig) {
    super();
    this.#host = currentHost('BackbeatConsumer');
    for (const field of ['topic', 'groupId'] as const) {
      if (typeof config[field] !== 'string' || config[field] === '')
        throw new TypeError(`BackbeatConsumer: ${field}: expected a text`);
    }
    if (typeof config.queueProcessor !== 'function')
      throw new TypeError('BackbeatConsumer: queueProcessor: expected a function');
    this.#config = config;
    setImmediate(() => this.emit('ready'));
  }

  subscribe(): this {
    if (this.#consumer) return this;
    const { topic, groupId: group, concurrency } = this.#config;
    const processor: QueueProcessor = { processKafkaEntry: (entry, done) => this.#process(entry, done) };
    this.#consumer = this.#host.consume({ topic, group, concurrency }, processor);
    this.#consumer.then(
      () => {
        this.#ready = true;
      },
      (err: unknown) => process.nextTick(() => this.emit('error', err)),
    );
    return this;
  }

  #process(entry: ReceivedMessage, done: (err?: unknown) => void): void {
    const { queueProcessor } = this.#config;
    queueProcessor(entry, (err, completion) => {
      const failed = err !== undefined && err !== null;
      if (failed || completion?.committable !== false) done(err);
      else this.#uncommitted.set(entry, done);
    });
  }

  /** Ends the work of an entry that was answered with `committable: false`. */
  onEntryCommittable(entry: ReceivedMessage): void {
    this.#uncommitted.get(entry)?.();
    this.#uncommitted.delete(entry);
  }

  isReady(): boolean {
    return this.#ready;
  }

  pause(): void {
    void this.#consumer?.then(consumer => consumer.pause());
  }

  resume(): void {
    void this.#consumer?.then(consumer => consumer.resume());
  }

  getMetadata(params: MetadataParams, callback: Callback<TopicMetadata>): void {
    answerMetadata(this.#host, params, this.#config.topic, callback);
  }

  /** Hands out nothing more; `callback` when no message is being worked on. */
  close(callback?: Callback): void {
    this.#ready = false;
    const close = async (): Promise<void> => (await this.#consumer)?.close();
    settle(close(), callback);
  }
}
