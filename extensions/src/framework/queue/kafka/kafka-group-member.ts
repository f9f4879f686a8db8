/** A member of a consumer group on Kafka, made again whenever kafkajs gives up. */
import { setMaxListeners } from 'node:events';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Consumer as KafkaConsumer, EachBatchPayload, Kafka } from 'kafkajs';
import { Gate } from '../gate.js';
import { KeyedPool } from '../keyed-pool.js';
import { LowWaterMark } from '../low-water-mark.js';
import { type Consumer, type ConsumeOptions, QueueError } from '../queue.js';
import { fromKafka } from './kafka-messages.js';

const SESSION_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 1000;
/** Handlers that were told to end get some of the time that a stop has; brokers that are away get the rest. */
const LEAVE_DEADLINE_MS = 5500;
/** Pause before messages whose handling failed come again, and before a consumer is made again. */
const AGAIN_AFTER_MS = 1000;
const REMIND_EVERY_MS = 60_000;

export class GroupMember implements Consumer {
  readonly #options: ConsumeOptions;
  readonly #log: Logger;
  readonly #pool: KeyedPool;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #gate = new Gate();
  #trouble: string | undefined = 'it has not joined yet';

  constructor(kafka: Kafka, options: ConsumeOptions, log: Logger, ensureTopic: () => Promise<void>) {
    this.#options = options;
    this.#log = log.child({ topic: options.topic, group: options.group });
    this.#pool = new KeyedPool(options.concurrency);
    setMaxListeners(0, this.#stop.signal);
    this.#running = this.#run(kafka, ensureTopic);
  }

  pause(): void {
    this.#gate.close();
  }

  resume(): void {
    this.#gate.open();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.resume();
    await this.#running;
  }

  /** @throws QueueError when it is not in its group. */
  checkJoined(): void {
    if (this.#trouble === undefined) return;
    throw new QueueError('UNAVAILABLE', `group ${this.#options.group} is not consuming: ${this.#trouble}`);
  }

  async #run(kafka: Kafka, ensureTopic: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    const stopped = (): boolean => signal.aborted;
    const told = new Promise<void>(resolve => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    let remindAt = 0;
    while (!stopped()) {
      try {
        await Promise.race([ensureTopic(), told]);
        if (!stopped()) await this.#consumeOnce(kafka);
      } catch (err) {
        this.#trouble = messageOf(err);
        if (!stopped() && Date.now() >= remindAt) {
          this.#log.warn({ err }, 'the brokers are away, or refuse us: waiting for them');
          remindAt = Date.now() + REMIND_EVERY_MS;
        }
      }
      await sleep(AGAIN_AFTER_MS, signal);
    }
  }

  /** Consumes until it is told to stop; rejects when kafkajs gave up. */
  async #consumeOnce(kafka: Kafka): Promise<void> {
    const { group, topic } = this.#options;
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: SESSION_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxBytesPerPartition: 256 * 1024,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      retry: {
        initialRetryTime: 200,
        maxRetryTime: 3000,
        retries: 4,
        restartOnFailure: () => Promise.resolve(false),
      },
    });
    try {
      await new Promise<void>((resolve, reject) => {
        consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
        consumer.on('consumer.group_join', ({ payload }) => {
          this.#trouble = undefined;
          this.#log.info({ partitions: payload.memberAssignment[topic] ?? [] }, 'joined the group');
        });
        this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
        this.#join(consumer).catch(reject);
      });
    } finally {
      this.#trouble = 'it left the group';
      await withDeadline(consumer.disconnect(), LEAVE_DEADLINE_MS, 'leaving the group').catch(
        (err: unknown) => {
          this.#log.debug({ err }, 'leaving the group failed');
        },
      );
    }
  }

  async #join(consumer: KafkaConsumer): Promise<void> {
    const { topic, concurrency } = this.#options;
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: concurrency,
      eachBatch: payload => this.#eachBatch(payload),
    });
  }

  /** Handles one batch of one partition, and commits as far as it is done. */
  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition } = batch;
    if (!payload.isRunning() || payload.isStale()) return;
    const ended = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, ended.signal]);
    setMaxListeners(0, signal);
    const mark = new LowWaterMark();
    const outcome = { refused: false };
    const pieces = batch.messages.map(kafkaMessage => {
      const message = fromKafka(topic, partition, kafkaMessage);
      const done = mark.add(String(BigInt(message.offset) + 1n));
      return new Promise<void>(resolve => {
        this.#pool.add(message.key && `${partition}/${message.key}`, async () => {
          try {
            await this.#gate.passed(signal);
            signal.throwIfAborted();
            await this.#options.handle(message, signal);
            done();
          } catch (err) {
            if (!ended.signal.aborted && !this.#stop.signal.aborted) {
              outcome.refused = true;
              this.#log.warn({ err, key: message.key }, 'a message comes again: not handled');
            }
            ended.abort();
          } finally {
            resolve();
          }
        });
      });
    });
    let committed: string | undefined;
    const commit = async (): Promise<void> => {
      const { value } = mark;
      if (value === undefined || value === committed) return;
      payload.resolveOffset(String(BigInt(value) - 1n));
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset: value }] }],
      });
      committed = value;
    };
    const finished = new AbortController();
    const busy = (): boolean => !finished.signal.aborted;
    const work = Promise.all(pieces).then(() => finished.abort());
    try {
      while (busy()) {
        await sleep(HEARTBEAT_MS, finished.signal);
        await payload.heartbeat();
        await commit();
      }
    } catch (err) {
      // The partition is another member's by now, or the brokers are away: leave the rest to who comes next.
      ended.abort();
      await work;
      throw err;
    }
    if (outcome.refused) await sleep(AGAIN_AFTER_MS, this.#stop.signal);
  }
}
