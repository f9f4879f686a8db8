/**
 * The queue on Kafka. Only this folder knows kafkajs, whose releases have become rare.
 *
 * Decisions that are not kafkajs's defaults:
 * - a producer that failed is replaced: its successor has a new id, so that the broker cannot take another
 *   batch for a repetition of one whose acknowledgement was lost;
 * - one batch of a partition at a time; its offsets are committed as far as the messages are done, in order;
 * - a consumer that ended for any reason is made again, for ever;
 * - what kafkajs and we know of topics is asked again after a while, and after each failure;
 * - kafkajs's own log lines are `debug`: what matters is said here, once.
 */
import { withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type Admin, Kafka, logLevel, Partitioners, type Producer, type SASLOptions } from 'kafkajs';
import pRetry from 'p-retry';
import { Gate } from '../gate.js';
import { consumerOf } from '../handing-out.js';
import {
  checkTopicName,
  type Consumer,
  type ConsumeOptions,
  type Message,
  type Progress,
  type PublishOptions,
  type Queue,
  QueueError,
} from '../queue.js';
import { GroupMember } from './kafka-group-member.js';
import { bytesOf, inRequests, MAX_MESSAGE_BYTES, toKafka } from './kafka-messages.js';
import type { KafkaOptions } from './kafka-settings.js';
import { KafkaTopics } from './kafka-topics.js';
import type { PartitionOffsets } from './lost-messages.js';

const REQUEST_TIMEOUT_MS = 10_000;
const PUBLISH_DEADLINE_MS = 60_000;
const LEAVE_DEADLINE_MS = 2000;
const METADATA_MAX_AGE_MS = 30_000;
/** For some seconds after a broker has started a group's coordinator is chosen, or moves; so are leaders of a topic that was just made. */
const SETTLING_RETRY = { retries: 30, minTimeout: 250, maxTimeout: 2000, maxRetryTime: 30_000 };
const SETTLING_ERRORS = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
];

export class KafkaQueue implements Queue {
  readonly #log: Logger;
  readonly #kafka: Kafka;
  readonly #sessionTimeoutMs: number;
  readonly #topics: KafkaTopics;
  readonly #consumers = new Set<GroupMember>();
  #producer: Promise<Producer> | undefined;
  #admin: Promise<Admin> | undefined;
  #lastPublish: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: KafkaOptions, log: Logger) {
    this.#log = log;
    this.#sessionTimeoutMs = options.sessionTimeoutMs;
    this.#kafka = new Kafka({
      clientId: options.clientId,
      brokers: [...options.brokers],
      ...(options.tls && { ssl: { ...options.tls } }),
      ...(options.sasl && { sasl: options.sasl as SASLOptions }),
      connectionTimeout: 5000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { initialRetryTime: 200, maxRetryTime: 3000, retries: 4 },
      logLevel: logLevel.WARN,
      logCreator: () => entry => {
        log.debug({ kafka: entry.log, scope: entry.namespace }, 'kafkajs');
        for (const member of this.#consumers) member.hear(entry.log);
      },
    });
    this.#topics = new KafkaTopics(options, (what, work) => this.#withAdmin(what, work), log);
  }

  prepare(topic: string): Promise<void> {
    return this.#topics.ensure(topic);
  }

  publish(topic: string, messages: readonly Message[], { fence }: PublishOptions = {}): Promise<void> {
    const work = this.#lastPublish.then(() => this.#publish(topic, messages, fence));
    this.#lastPublish = work.catch(() => undefined);
    return work;
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    checkTopicName(options.topic);
    checkTopicName(options.group);
    this.#checkOpen();
    const { topic, group } = options;
    const gate = new Gate();
    const ofMember = { ...options, sessionTimeoutMs: this.#sessionTimeoutMs };
    const member = new GroupMember(this.#kafka, ofMember, gate, this.#log, {
      ensure: () => {
        this.#topics.forget(topic);
        return this.#topics.ensure(topic);
      },
      offsets: () => this.#offsets(topic, group),
    });
    return Promise.resolve(consumerOf(member, this.#consumers, gate));
  }

  async progress(topic: string, group: string): Promise<readonly Progress[]> {
    checkTopicName(group);
    const offsets = await this.#offsets(topic, group);
    return offsets.map(one => {
      const { partition, committed, high } = one;
      return { partition, committed, end: high, finished: this.compareOffsets(nextOf(one), high) >= 0 };
    });
  }

  async backlog(topic: string, group: string): Promise<number> {
    const offsets = await this.#offsets(topic, group);
    return offsets.reduce((sum, one) => sum + Math.max(0, Number(BigInt(one.high) - BigInt(nextOf(one)))), 0);
  }

  async #offsets(topic: string, group: string): Promise<readonly PartitionOffsets[]> {
    const ask = async (): Promise<readonly PartitionOffsets[]> => {
      await this.#topics.ensure(topic);
      try {
        return await this.#askOffsets(topic, group);
      } catch (err) {
        this.#topics.forget(topic);
        throw err;
      }
    };
    return pRetry(ask, { ...SETTLING_RETRY, shouldRetry: isSettling });
  }

  #askOffsets(topic: string, group: string): Promise<readonly PartitionOffsets[]> {
    return this.#withAdmin('ask for offsets', async admin => {
      const ends = await admin.fetchTopicOffsets(topic);
      const [ofTopic] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      return ends.map(({ partition, high, low }) => {
        const committed = ofTopic?.partitions.find(found => found.partition === partition)?.offset ?? '-1';
        // Below zero: none yet, or kafkajs is about to look for the oldest.
        return { partition, committed: committed.startsWith('-') ? undefined : committed, low, high };
      });
    });
  }

  compareOffsets(a: string, b: string): number {
    const difference = BigInt(a) - BigInt(b);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }

  async ready(): Promise<void> {
    this.#checkOpen();
    await this.#withAdmin('reach the brokers', admin => admin.describeCluster());
    for (const member of this.#consumers) member.checkJoined();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#consumers].map(member => member.close()));
    await withDeadline(this.#lastPublish, LEAVE_DEADLINE_MS, 'the last publish').catch((err: unknown) => {
      this.#log.warn(
        { err },
        'closing while the brokers are away: what was not acknowledged is published again later',
      );
    });
    await Promise.all([disconnect(this.#producer, this.#log), disconnect(this.#admin, this.#log)]);
  }

  async #publish(topic: string, messages: readonly Message[], fence?: () => Promise<void>): Promise<void> {
    this.#checkOpen();
    checkTopicName(topic);
    for (const message of messages) {
      const bytes = bytesOf(message);
      if (bytes > MAX_MESSAGE_BYTES) throw tooLarge(`a message of ${bytes} bytes`);
    }
    await this.#topics.ensure(topic);
    const producer = (this.#producer ??= this.#connectProducer());
    try {
      const connected = await producer;
      for (const batch of inRequests(messages)) {
        // Brokers cannot tell two publishers apart: what is on its way when we are frozen may arrive late.
        await fence?.();
        const sent = connected.send({ topic, acks: -1, messages: batch.map(toKafka) });
        await withDeadline(sent, PUBLISH_DEADLINE_MS, `publishing to ${topic}`);
      }
    } catch (err) {
      this.#producer = undefined;
      this.#topics.forget(topic);
      void disconnect(producer, this.#log);
      if (isTooLarge(err)) throw tooLarge(`a message for ${topic}`, err);
      throw unavailable(`publish to ${topic}`, err);
    }
  }

  async #connectProducer(): Promise<Producer> {
    const producer = this.#kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      metadataMaxAge: METADATA_MAX_AGE_MS,
      retry: { initialRetryTime: 200, maxRetryTime: 3000, retries: 4 },
    });
    await producer.connect();
    return producer;
  }

  async #withAdmin<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    this.#checkOpen();
    const admin = (this.#admin ??= this.#connectAdmin());
    try {
      return await withDeadline(admin.then(work), PUBLISH_DEADLINE_MS, 'the answer of the brokers');
    } catch (err) {
      if (this.#admin === admin) this.#admin = undefined;
      void disconnect(admin, this.#log);
      throw unavailable(what, err);
    }
  }

  async #connectAdmin(): Promise<Admin> {
    const admin = this.#kafka.admin();
    await admin.connect();
    return admin;
  }

  #checkOpen(): void {
    if (this.#closed) throw new QueueError('CLOSED', 'the queue is closed');
  }
}

/** What the topic has no longer is not ahead of the group. */
function nextOf({ committed, low }: PartitionOffsets): string {
  return committed !== undefined && BigInt(committed) > BigInt(low) ? committed : low;
}

async function disconnect(connecting: Promise<Producer | Admin> | undefined, log: Logger): Promise<void> {
  try {
    // One that is still looking for brokers that are away has nothing to say to them.
    await withDeadline(
      Promise.resolve(connecting?.then(client => client.disconnect())),
      LEAVE_DEADLINE_MS,
      'leaving',
    );
  } catch (err) {
    log.debug({ err }, 'a connection to the brokers did not end cleanly');
  }
}

function unavailable(what: string, cause: unknown): QueueError {
  return new QueueError('UNAVAILABLE', `Kafka: cannot ${what}: ${messageOf(cause)}`, { cause });
}

function tooLarge(what: string, cause?: unknown): QueueError {
  return new QueueError('MESSAGE_TOO_LARGE', `${what} is larger than Kafka takes`, { cause });
}

function isSettling(err: unknown): boolean {
  if (!(err instanceof Error)) return false;
  const isIt = 'type' in err && typeof err.type === 'string' && SETTLING_ERRORS.includes(err.type);
  return isIt || isSettling(err.cause);
}

function isTooLarge(err: unknown): boolean {
  return err instanceof Error && 'type' in err && err.type === 'MESSAGE_TOO_LARGE';
}
