/** Backbeat's `BackbeatProducer` over our queue. */
import { EventEmitter } from 'node:events';
import type { Message } from '../queue/queue.js';
import { type BackbeatHost, currentHost } from './host.js';
import {
  answerMetadata,
  type Callback,
  type MetadataParams,
  settle,
  type TopicMetadata,
} from './metadata.js';

export interface BackbeatProducerConfig {
  /** Where `send` publishes. */
  readonly topic?: string;
  readonly [other: string]: unknown;
}

/** `key` goes as it is: encode it as the filter's `publish` does where they have to agree. */
export interface ProducerEntry {
  readonly key?: string | Buffer | null;
  readonly message: string | Buffer;
}

/** One for each entry; our queue does not tell partitions and offsets. */
export interface DeliveryReport {
  readonly topic: string;
  readonly key: string;
}

/** Emits `ready` soon after it was made. `send` answers when the entries are on stable storage. */
export class BackbeatProducer extends EventEmitter {
  readonly #host: BackbeatHost;
  readonly #topic: string | undefined;
  readonly #sending = new Set<Promise<unknown>>();
  #ready = false;
  #closed = false;

  /** @throws Error outside of a processor. */
  constructor(config: BackbeatProducerConfig = {}) {
    super();
    this.#host = currentHost('BackbeatProducer');
    this.#topic = config.topic;
    setImmediate(() => {
      this.#ready = !this.#closed;
      if (this.#ready) this.emit('ready');
    });
  }

  send(entries: readonly ProducerEntry[], callback: Callback<readonly DeliveryReport[]>): void {
    this.sendToTopic(this.#topic, entries, callback);
  }

  sendToTopic(
    topic: string | undefined,
    entries: readonly ProducerEntry[],
    callback: Callback<readonly DeliveryReport[]>,
  ): void {
    const sending = this.#send(topic, entries);
    this.#sending.add(sending);
    settle(
      sending.finally(() => this.#sending.delete(sending)),
      callback,
    );
  }

  async #send(
    topic: string | undefined,
    entries: readonly ProducerEntry[],
  ): Promise<readonly DeliveryReport[]> {
    if (this.#closed) throw new Error('the producer is closed');
    if (topic === undefined) throw new TypeError('BackbeatProducer: topic: expected a text');
    const messages = entries.map(toMessage);
    await this.#host.publish(topic, messages);
    return messages.map(({ key }) => ({ topic, key }));
  }

  isReady(): boolean {
    return this.#ready;
  }

  getMetadata(params: MetadataParams, callback: Callback<TopicMetadata>): void {
    answerMetadata(this.#host, params, this.#topic, callback);
  }

  /** Takes nothing more; `callback` when all that was sent is answered. */
  close(callback?: Callback): void {
    this.#closed = true;
    this.#ready = false;
    settle(
      Promise.allSettled(this.#sending).then(() => undefined),
      callback,
    );
  }
}

function toMessage({ key, message }: ProducerEntry): Message {
  if (typeof message !== 'string' && !Buffer.isBuffer(message)) {
    throw new TypeError('BackbeatProducer: message: expected a text or a Buffer');
  }
  return { key: key?.toString() ?? '', value: message.toString() };
}
