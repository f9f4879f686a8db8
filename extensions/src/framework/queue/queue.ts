/**
 * The queue between populator and processors: topics of keyed messages, read by consumer groups.
 *
 * Two transports keep these promises, held to one contract suite (`testing/queue-contract/`): Kafka,
 * and files on this machine.
 * - **Durable:** when `publish` has resolved, the messages survive the end of any process and of the machine
 *   (Kafka: on all in-sync replicas). When it rejects, none, some or all of them may be in the topic.
 * - **Order:** messages of one key are delivered in the order of their `publish` calls, and the next one of a
 *   key is handed out only after the one before it is done. Different keys are not ordered. When a group's
 *   members change, a message that is being handled is waited for first, as far as the transport can tell (Kafka:
 *   while its member answers the brokers; files: while its member's heartbeat goes on).
 * - **At least once:** a group's offset moves past a message only when it, and all before it in its
 *   partition, are done. After a crash, or when a group's members change, what was not committed comes again.
 */
import type { Logger } from '@zenko-modules/common/logger';

export interface Message {
  /** Messages of one key stay in order. Empty: in no order with any other. */
  readonly key: string;
  readonly value: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ReceivedMessage extends Message {
  readonly topic: string;
  readonly partition: number;
  /** Opaque; compare two of one partition with `Queue.compareOffsets`. */
  readonly offset: string;
  /** When it was published, in milliseconds since 1970. */
  readonly timestamp: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ConsumeOptions {
  readonly topic: string;
  /** A new group starts with the oldest message that the topic still has. */
  readonly group: string;
  /** How many messages are handled at once, at most. With 1, those of a partition come in its order. */
  readonly concurrency: number;
  /**
   * Does the work of one message; the message is done when it resolves. When it rejects, the message and
   * what follows it in its partition come again after a pause. `signal` is aborted when the consumer closes,
   * or loses the message to another member: leave then, by rejecting, what can be done later.
   */
  readonly handle: (message: ReceivedMessage, signal: AbortSignal) => Promise<void>;
  /**
   * How long a handler may go on after its signal was aborted; a minute when it is not said. What it works on
   * is given to another member only then, as long as this member is in touch with the others.
   */
  readonly settleMs?: number;
  /**
   * Told how many messages the topic no longer had when their turn came, which Kafka may do; the group goes on with
   * the oldest that is there.
   */
  readonly onLost?: (count: number) => void;
}

export interface Consumer {
  /** Hands out nothing more until `resume`; what is being handled goes on. */
  pause(): void;
  resume(): void;
  /**
   * Hands out nothing more, aborts the signals, waits for what is being handled, commits, and leaves the
   * group. May be called twice.
   */
  close(): Promise<void>;
}

/** How far a group is in one partition. */
export interface Progress {
  readonly partition: number;
  /** Offset of the first message that the group has not done; `undefined`: it has committed nothing yet. */
  readonly committed: string | undefined;
  /** An offset after every message that the partition had when this was asked. */
  readonly end: string;
  /** True when the partition has no message that the group has not done. */
  readonly finished: boolean;
}

export interface PublishOptions {
  /**
   * Rejects when the caller must not publish any more, as another process does its work. On files it is asked
   * after another process has written to the topic, so that nothing is written behind what that one wrote since; on
   * Kafka before each request, so that of what is published no more than one request can arrive behind it.
   */
  readonly fence?: () => Promise<void>;
}

export interface Queue {
  /**
   * Makes a topic when it is missing; one that is there and loses more than the settings say is told of in the log.
   * @throws QueueError
   */
  prepare(topic: string): Promise<void>;
  /** Appends messages, in this order, to a topic, which is made when it is missing. @throws QueueError */
  publish(topic: string, messages: readonly Message[], options?: PublishOptions): Promise<void>;
  /**
   * Joins a group of a topic, which is made when it is missing. Resolves at once; joining goes on in the
   * background, and waits for a broker that is away.
   * @throws QueueError
   */
  consume(options: ConsumeOptions): Promise<Consumer>;
  /** How far `group` is in each partition of a topic. @throws QueueError */
  progress(topic: string, group: string): Promise<readonly Progress[]>;
  /**
   * How many messages of a topic `group` has not done: all that the topic has when the group is new. It may
   * be off by what is being published or committed while it is counted. @throws QueueError
   */
  backlog(topic: string, group: string): Promise<number>;
  /** Below zero when `a` comes before `b` in a partition, above zero when after it. */
  compareOffsets(a: string, b: string): number;
  /** Resolves when messages can be published and consumed now; rejects with the reason. */
  ready(): Promise<void>;
  /** Closes what is open, consumers too. May be called twice. */
  close(): Promise<void>;
}

/** What every transport is made with. */
export interface QueueContext {
  readonly log: Logger;
}

export type QueueErrorCode =
  /** A topic's name is not usable. */
  | 'INVALID_TOPIC'
  /** One of the messages is larger than the transport takes: not worth a retry. */
  | 'MESSAGE_TOO_LARGE'
  /** The broker or the file system does not take the messages at the moment. */
  | 'UNAVAILABLE'
  /** The queue is closed. */
  | 'CLOSED';

export class QueueError extends Error {
  readonly code: QueueErrorCode;

  constructor(code: QueueErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'QueueError';
    this.code = code;
  }
}

/** Topics and groups become names of files and of Kafka topics: what both can hold. */
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}$/;
export const NAME_RULE = '1 to 200 letters, digits, dots, underscores or hyphens';

export function isTopicName(name: string): boolean {
  return NAME.test(name);
}

/** @throws QueueError when `name` is not usable as a topic or group. */
export function checkTopicName(name: string): void {
  if (!isTopicName(name)) {
    throw new QueueError('INVALID_TOPIC', `"${name}" is no topic or group name: expected ${NAME_RULE}`);
  }
}

const FAILED = '-failed';

/** The topic in which messages of `topic` are parked that kept failing. */
export function failedTopicOf(topic: string): string {
  return topic + FAILED;
}

export function isFailedTopic(topic: string): boolean {
  return topic.endsWith(FAILED);
}
