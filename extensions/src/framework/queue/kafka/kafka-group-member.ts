/**
 * A member of a consumer group on Kafka, made again whenever kafkajs gives up.
 *
 * When the group's members change, the brokers wait for each member to join again, and give no partition away
 * before that. So a member that hears of it hands out nothing more, tells its handlers, waits for them while it
 * goes on to send heartbeats, commits what they did, and only then joins. The brokers wait no longer than
 * the rebalance time-out, and not for a member that was silent for the session time-out.
 */
import { setMaxListeners } from 'node:events';
import { linkSignals, onAbort, orAborted } from '@zenko-modules/common/abort';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Consumer as KafkaConsumer, EachBatchPayload, Kafka, LoggerEntryContent } from 'kafkajs';
import type { Gate } from '../gate.js';
import { handOut } from '../handing-out.js';
import { KeyedPool } from '../keyed-pool.js';
import { LowWaterMark } from '../low-water-mark.js';
import { type ConsumeOptions, QueueError } from '../queue.js';
import { fromKafka } from './kafka-messages.js';
import { LostMessages, type PartitionOffsets } from './lost-messages.js';

const HEARTBEAT_MS = 1000;
/** How long handlers may go on when nobody says it, and what a rebalance takes beside them. */
const DEFAULT_SETTLE_MS = 60_000;
const REBALANCE_MARGIN_MS = 30_000;
/** Brokers that are away get some of the time that a stop has. */
const LEAVE_DEADLINE_MS = 2500;
/** Pause before messages whose handling failed come again, and before a consumer is made again. */
const AGAIN_AFTER_MS = 1000;
const REMIND_EVERY_MS = 60_000;
const METADATA_MAX_AGE_MS = 30_000;

export interface TopicOfMember {
  /** Asks the brokers, and makes the topic when it is missing. */
  readonly ensure: () => Promise<void>;
  readonly offsets: () => Promise<readonly PartitionOffsets[]>;
}

export interface MemberOptions extends ConsumeOptions {
  /** One that was silent for so long is taken for dead. A suspended machine or a blocked process is silent. */
  readonly sessionTimeoutMs: number;
}

export class GroupMember {
  readonly #options: MemberOptions;
  readonly #log: Logger;
  readonly #pool: KeyedPool;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #gate: Gate;
  /** Aborted when what is assigned to us may become another member's: nothing more is handed out. */
  #assignment = newAssignment();
  #batches = 0;
  readonly #lost: LostMessages;
  #trouble: string | undefined = 'it has not joined yet';

  /** @param gate closed while nothing is to be handed out */
  constructor(kafka: Kafka, options: MemberOptions, gate: Gate, log: Logger, topic: TopicOfMember) {
    this.#options = options;
    this.#gate = gate;
    this.#log = log.child({ topic: options.topic, group: options.group });
    this.#pool = new KeyedPool(options.concurrency);
    setMaxListeners(0, this.#stop.signal);
    const { group, onLost = () => undefined } = options;
    this.#lost = new LostMessages({ group, offsets: topic.offsets, onLost, log: this.#log });
    this.#running = this.#run(kafka, topic);
  }

  /** Hears each log line of kafkajs. */
  hear(entry: LoggerEntryContent): void {
    this.#lost.hear(entry);
  }

  /** As `Consumer.close`. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#assignment.abort();
    await this.#running;
  }

  /** @throws QueueError when it is not in its group. */
  checkJoined(): void {
    if (this.#trouble === undefined) return;
    throw new QueueError('UNAVAILABLE', `group ${this.#options.group} is not consuming: ${this.#trouble}`);
  }

  async #run(kafka: Kafka, topic: TopicOfMember): Promise<void> {
    const { signal } = this.#stop;
    const stopped = (): boolean => signal.aborted;
    let remindAt = 0;
    while (!stopped()) {
      try {
        await orAborted(
          topic.ensure().then(() => this.#lost.look()),
          signal,
        );
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
    const { group, topic, settleMs = DEFAULT_SETTLE_MS, sessionTimeoutMs } = this.#options;
    const consumer = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: settleMs + REBALANCE_MARGIN_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxBytesPerPartition: 256 * 1024,
      maxWaitTimeInMs: 500,
      allowAutoTopicCreation: false,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      retry: {
        initialRetryTime: 200,
        maxRetryTime: 3000,
        retries: 4,
        restartOnFailure: () => Promise.resolve(false),
      },
    });
    let release = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
        consumer.on('consumer.group_join', ({ payload }) => {
          this.#trouble = undefined;
          this.#log.info({ partitions: payload.memberAssignment[topic] ?? [] }, 'joined the group');
        });
        release = onAbort(this.#stop.signal, resolve);
        this.#join(consumer).catch(reject);
      });
    } finally {
      release();
      this.#trouble = 'it left the group';
      this.#assignment.abort();
      // Our partitions are nobody else's before we have left, so what is being handled comes first.
      await this.#pool.below(0);
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

  async #eachBatch(payload: EachBatchPayload): Promise<void> {
    if (!payload.isRunning() || payload.isStale()) return;
    if (this.#assignment.signal.aborted) {
      // Read before we lost it. kafkajs joins again when every batch has ended.
      await this.#pool.below(0);
      if (this.#batches > 0 || this.#stop.signal.aborted) return;
      this.#assignment = newAssignment();
    }
    this.#batches++;
    try {
      await this.#handleBatch(payload, this.#assignment);
    } finally {
      this.#batches--;
    }
  }

  /** Handles one batch of one partition, and commits as far as it is done. */
  async #handleBatch(payload: EachBatchPayload, assignment: AbortController): Promise<void> {
    const { topic, partition } = payload.batch;
    const refused = new AbortController();
    const { signal, release } = linkSignals(assignment.signal, refused.signal);
    setMaxListeners(0, signal);
    const handingOut = { gate: this.#gate, handle: this.#options.handle, signal, refused, log: this.#log };
    const mark = new LowWaterMark();
    const pieces = payload.batch.messages.map(kafkaMessage => {
      const message = fromKafka(topic, partition, kafkaMessage);
      const done = mark.add(String(BigInt(message.offset) + 1n));
      return new Promise<void>(resolve => {
        const lane = message.key && `${partition}/${message.key}`;
        this.#pool.add(lane, () => handOut(message, done, handingOut).finally(resolve));
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
      this.#lost.goesOn(partition, value);
    };
    const finished = new AbortController();
    const busy = (): boolean => !finished.signal.aborted;
    void Promise.all(pieces).then(() => finished.abort());
    let lost: { readonly err: unknown } | undefined;
    while (busy()) {
      await sleep(HEARTBEAT_MS, finished.signal);
      for (const call of [() => payload.heartbeat(), commit]) {
        try {
          await call();
        } catch (err) {
          // The members change, the partition is another's by now, or the brokers are away. What is being
          // handled is waited for all the same, with heartbeats and commits as long as they are taken.
          lost ??= { err };
          assignment.abort();
        }
      }
    }
    release();
    if (lost) throw lost.err;
    if (refused.signal.aborted) await sleep(AGAIN_AFTER_MS, this.#stop.signal);
  }
}

function newAssignment(): AbortController {
  const assignment = new AbortController();
  setMaxListeners(0, assignment.signal);
  return assignment;
}
