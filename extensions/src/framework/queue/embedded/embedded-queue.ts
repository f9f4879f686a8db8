/**
 * The queue on files of this machine, for when there is no Kafka: everything lies under one folder, and any
 * process that reaches it may publish and consume. One partition per topic; one working member per group.
 *
 * A segment is removed when all groups of its topic have committed past it. A topic that no group reads,
 * such as a failed topic, is kept whole. On a full disk publishing is refused; reading, committing and joining a group
 * need no more room, and so make some.
 */
import { access, constants, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@zenko-modules/common/logger';
import { makeFolder } from '@zenko-modules/common/sync-folder';
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
import { removeConsumed } from './consumed-segments.js';
import { EmbeddedConsumer } from './embedded-consumer.js';
import { groupsFolder, readCommitted, registerGroup } from './group-offsets.js';
import { RecordCounter } from './record-counter.js';
import { formatPosition, listSegments, type Position, segmentPath, START } from './segments.js';
import { TopicReader } from './topic-reader.js';
import { TopicWriter } from './topic-writer.js';

export interface EmbeddedQueueOptions {
  /** It exists and is writable. */
  readonly folder: string;
  /** A segment that has grown to this size is followed by a new one. */
  readonly segmentBytes: number;
  readonly log: Logger;
}

export class EmbeddedQueue implements Queue {
  readonly #options: EmbeddedQueueOptions;
  readonly #writers = new Map<string, TopicWriter>();
  readonly #topics = new Set<string>();
  readonly #counters = new Map<string, RecordCounter>();
  readonly #consumers = new Set<EmbeddedConsumer>();
  #closed = false;

  constructor(options: EmbeddedQueueOptions) {
    this.#options = options;
  }

  async prepare(topic: string): Promise<void> {
    await this.#topicFolder(topic);
  }

  async publish(topic: string, messages: readonly Message[], { fence }: PublishOptions = {}): Promise<void> {
    const folder = await this.#topicFolder(topic);
    if (messages.length === 0) return;
    let writer = this.#writers.get(topic);
    if (!writer) {
      const { segmentBytes, log } = this.#options;
      writer = new TopicWriter(folder, segmentBytes, log, () => void removeConsumed(folder, log));
      this.#writers.set(topic, writer);
    }
    await writer.append(messages, fence);
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    checkTopicName(options.group);
    const folder = await this.#topicFolder(options.topic);
    // Known from now on: what this group has not read is kept.
    await registerGroup(folder, options.group);
    const gate = new Gate();
    const consumer = new EmbeddedConsumer(folder, options, gate, this.#options.log);
    return consumerOf(consumer, this.#consumers, gate);
  }

  async progress(topic: string, group: string): Promise<readonly Progress[]> {
    checkTopicName(group);
    const folder = await this.#topicFolder(topic);
    const end = await endOf(folder);
    const committed = await readCommitted(folder, group);
    const reader = new TopicReader(folder, committed ?? START, this.#options.log);
    try {
      const unread = await reader.read();
      return [
        {
          partition: 0,
          committed: committed && formatPosition(committed),
          end: formatPosition(end),
          finished: unread.length === 0,
        },
      ];
    } finally {
      await reader.close();
    }
  }

  async backlog(topic: string, group: string): Promise<number> {
    checkTopicName(group);
    const folder = await this.#topicFolder(topic);
    let counter = this.#counters.get(topic);
    if (!counter) this.#counters.set(topic, (counter = new RecordCounter(folder)));
    return counter.after(group, (await readCommitted(folder, group)) ?? START);
  }

  compareOffsets(a: string, b: string): number {
    return a < b ? -1 : a > b ? 1 : 0;
  }

  async ready(): Promise<void> {
    if (this.#closed) throw new QueueError('CLOSED', 'the queue is closed');
    await access(this.#options.folder, constants.R_OK | constants.W_OK | constants.X_OK);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#consumers].map(consumer => consumer.close()));
    await Promise.all([...this.#writers.values()].map(writer => writer.close()));
  }

  /** The folder of a topic, made when it is missing. */
  async #topicFolder(topic: string): Promise<string> {
    if (this.#closed) throw new QueueError('CLOSED', 'the queue is closed');
    checkTopicName(topic);
    const folder = path.join(this.#options.folder, topic);
    if (this.#topics.has(topic)) return folder;
    try {
      await makeFolder(folder);
      await makeFolder(groupsFolder(folder));
    } catch (err) {
      throw new QueueError('UNAVAILABLE', `cannot make the topic ${topic}`, { cause: err });
    }
    this.#topics.add(topic);
    return folder;
  }
}

/** After the last byte that the topic has now. */
async function endOf(folder: string): Promise<Position> {
  const segment = (await listSegments(folder)).at(-1);
  if (segment === undefined) return START;
  return { segment, byte: (await stat(segmentPath(folder, segment))).size };
}
