/**
 * The queue on Kafka. Only this folder knows kafkajs, whose releases have become rare.
 *
 * Decisions that are not kafkajs's defaults:
 * - a producer that failed is replaced: its successor has a new id, so that the broker cannot take another
 *   batch for a repetition of one whose acknowledgement was lost;
 * - one batch of a partition at a time; its offsets are committed as far as the messages are done, in order;
 * - a consumer that ended for any reason is made again, for ever;
 * - kafkajs's own log lines are `debug`: what matters is said here, once.
 */
import { withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type Admin, Kafka, logLevel, Partitioners, type Producer, type SASLOptions } from 'kafkajs';
import pRetry from 'p-retry';
import {
  checkTopicName,
  type Consumer,
  type ConsumeOptions,
  type Message,
  type Progress,
  type Queue,
  QueueError,
} from '../queue.js';
import { GroupMember } from './kafka-group-member.js';
import { bytesOf, inRequests, MAX_MESSAGE_BYTES, toKafka } from './kafka-messages.js';
import type { KafkaOptions } from './kafka-settings.js';

const REQUEST_TIMEOUT_MS = 10_000;
const PUBLISH_DEADLINE_MS = 60_000;
const LEAVE_DEADLINE_MS = 2000;
/** A group's coordinator is chosen, or moves, for some seconds after a broker has started. */
const COORDINATOR_RETRY = { retries: 30, minTimeout: 250, maxTimeout: 2000, maxRetryTime: 30_000 };
const COORDINATOR_ERRORS = [
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
];

export class KafkaQueue implements Queue {
  readonly #options: KafkaOptions;
  readonly #log: Logger;
  readonly #kafka: Kafka;
  readonly #topics = new Set<string>();
  readonly #consumers = new Set<GroupMember>();
  #producer: Promise<Producer> | undefined;
  #admin: Promise<Admin> | undefined;
  #lastPublish: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: KafkaOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#kafka = new Kafka({
      clientId: options.clientId,
      brokers: [...options.brokers],
      ...(options.tls && { ssl: { ...options.tls } }),
      ...(options.sasl && { sasl: options.sasl as SASLOptions }),
      connectionTimeout: 5000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { initialRetryTime: 200, maxRetryTime: 3000, retries: 4 },
      logLevel: logLevel.WARN,
      logCreator: () => entry => log.debug({ kafka: entry.log, scope: entry.namespace }, 'kafkajs'),
    });
  }

  publish(topic: string, messages: readonly Message[]): Promise<void> {
    const work = this.#lastPublish.then(() => this.#publish(topic, messages));
    this.#lastPublish = work.catch(() => undefined);
    return work;
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    checkTopicName(options.topic);
    checkTopicName(options.group);
    this.#checkOpen();
    const member = new GroupMember(this.#kafka, options, this.#log, () => this.#ensureTopic(options.topic));
    this.#consumers.add(member);
    return Promise.resolve({
      pause: () => member.pause(),
      resume: () => member.resume(),
      close: async () => {
        await member.close();
        this.#consumers.delete(member);
      },
    });
  }

  async progress(topic: string, group: string): Promise<readonly (Progress & { from: string })[]> {
    checkTopicName(group);
    await this.#ensureTopic(topic);
    return pRetry(() => this.#progress(topic, group), {
      ...COORDINATOR_RETRY,
      shouldRetry: hasNoCoordinator,
    });
  }

  async backlog(topic: string, group: string): Promise<number> {
    const partitions = await this.progress(topic, group);
    return partitions.reduce(
      (sum, { end, from }) => sum + Math.max(0, Number(BigInt(end) - BigInt(from))),
      0,
    );
  }

  #progress(topic: string, group: string): Promise<readonly (Progress & { from: string })[]> {
    return this.#withAdmin('ask for offsets', async admin => {
      const ends = await admin.fetchTopicOffsets(topic);
      const [ofTopic] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      return ends.map(({ partition, high, low }) => {
        const committed = ofTopic?.partitions.find(found => found.partition === partition)?.offset ?? '-1';
        const known = committed !== '-1';
        // What the topic has no longer is not ahead of the group.
        const from = known && this.compareOffsets(committed, low) > 0 ? committed : low;
        const finished = this.compareOffsets(from, high) >= 0;
        return { partition, committed: known ? committed : undefined, end: high, finished, from };
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

  async #publish(topic: string, messages: readonly Message[]): Promise<void> {
    this.#checkOpen();
    checkTopicName(topic);
    for (const message of messages) {
      const bytes = bytesOf(message);
      if (bytes > MAX_MESSAGE_BYTES) throw tooLarge(`a message of ${bytes} bytes`);
    }
    await this.#ensureTopic(topic);
    const producer = (this.#producer ??= this.#connectProducer());
    try {
      for (const batch of inRequests(messages)) {
        const sent = (await producer).send({ topic, acks: -1, messages: batch.map(toKafka) });
        await withDeadline(sent, PUBLISH_DEADLINE_MS, `publishing to ${topic}`);
      }
    } catch (err) {
      this.#producer = undefined;
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
      retry: { initialRetryTime: 200, maxRetryTime: 3000, retries: 4 },
    });
    await producer.connect();
    return producer;
  }

  async #ensureTopic(topic: string): Promise<void> {
    this.#checkOpen();
    checkTopicName(topic);
    if (this.#topics.has(topic)) return;
    const { partitions, replication } = this.#options;
    await this.#withAdmin(`make the topic ${topic}`, async admin => {
      if ((await admin.listTopics()).includes(topic)) return;
      const configEntries = [{ name: 'max.message.bytes', value: String(MAX_MESSAGE_BYTES + 1024 * 1024) }];
      const wanted = { topic, numPartitions: partitions, replicationFactor: replication, configEntries };
      const made = await admin.createTopics({ topics: [wanted], waitForLeaders: true });
      if (made) this.#log.info({ topic, partitions, replication }, 'made a topic');
    });
    this.#topics.add(topic);
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

function hasNoCoordinator(err: unknown): boolean {
  if (!(err instanceof Error)) return false;
  const isIt = 'type' in err && typeof err.type === 'string' && COORDINATOR_ERRORS.includes(err.type);
  return isIt || hasNoCoordinator(err.cause);
}

function isTooLarge(err: unknown): boolean {
  return err instanceof Error && 'type' in err && err.type === 'MESSAGE_TOO_LARGE';
}
