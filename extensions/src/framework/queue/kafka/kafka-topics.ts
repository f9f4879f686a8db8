/**
 * The topics: made so that they lose nothing, and looked at again and again, as anybody may delete one or change its
 * configuration. One that is kept otherwise than the settings say is left alone, and said in the log once.
 */
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import kafkajs, { type Admin } from 'kafkajs';
import { checkTopicName, failedTopicOf, isFailedTopic } from '../queue.js';
import { MAX_MESSAGE_BYTES } from './kafka-messages.js';
import type { KafkaOptions } from './kafka-settings.js';

/** How long a topic is taken to be there without asking. */
const TRUSTED_MS = 30_000;
/** A broker may take so long, in steps, to know of a topic that another process is making at the same time. */
const UNKNOWN_PAUSE_MS = 200;
const UNKNOWN_TRIES = 20;
/** What a request takes beside its messages. */
const REQUEST_MARGIN_BYTES = 1024 * 1024;

type WithAdmin = <T>(what: string, work: (admin: Admin) => Promise<T>) => Promise<T>;

export class KafkaTopics {
  readonly #options: KafkaOptions;
  readonly #withAdmin: WithAdmin;
  readonly #log: Logger;
  /** Until when each is taken to be there. */
  readonly #trusted = new Map<string, number>();
  readonly #compared = new Set<string>();

  constructor(options: KafkaOptions, withAdmin: WithAdmin, log: Logger) {
    this.#options = options;
    this.#withAdmin = withAdmin;
    this.#log = log;
  }

  /** Makes the topic when it is missing. @throws QueueError */
  async ensure(topic: string): Promise<void> {
    checkTopicName(topic);
    if ((this.#trusted.get(topic) ?? 0) > Date.now()) return;
    await this.#withAdmin(`make the topic ${topic}`, async admin => {
      const there = await admin.listTopics();
      if (!there.includes(topic)) await this.#make(admin, topic);
      const mattering = [topic, failedTopicOf(topic)].filter(name => there.includes(name));
      for (const name of mattering) await this.#compare(admin, name);
    });
    this.#trusted.set(topic, Date.now() + TRUSTED_MS);
  }

  /** To be called after each failure: the next `ensure` asks. */
  forget(topic: string): void {
    this.#trusted.delete(topic);
  }

  async #make(admin: Admin, topic: string): Promise<void> {
    const { partitions, replication } = this.#options;
    const configEntries = Object.entries(this.#configOf(topic)).map(([name, value]) => ({ name, value }));
    const wanted = { topic, numPartitions: partitions, replicationFactor: replication, configEntries };
    const made = await untilKnown(() => admin.createTopics({ topics: [wanted], waitForLeaders: true }));
    if (made) this.#log.info({ topic, partitions, replication, ...this.#configOf(topic) }, 'made a topic');
    this.#compared.add(topic);
  }

  /** Kafka's own defaults remove messages after 7 days, and acknowledge what is on one broker. */
  #configOf(topic: string): Readonly<Record<string, string>> {
    const { retentionMs, minInsync } = this.#options;
    return {
      'cleanup.policy': 'delete',
      'retention.ms': String(isFailedTopic(topic) ? -1 : retentionMs),
      'retention.bytes': '-1',
      'min.insync.replicas': String(minInsync),
      'max.message.bytes': String(MAX_MESSAGE_BYTES + REQUEST_MARGIN_BYTES),
    };
  }

  async #compare(admin: Admin, topic: string): Promise<void> {
    if (this.#compared.has(topic)) return;
    const wanted = this.#configOf(topic);
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configNames: [...Object.keys(wanted), UNCLEAN],
        },
      ],
    });
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const replicas = Math.min(...(topics[0]?.partitions ?? []).map(partition => partition.replicas.length));
    const found = Object.fromEntries(
      (resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]),
    );
    const expected = { ...wanted, [UNCLEAN]: 'false', replicas: String(this.#options.replication) };
    const differs = differences(expected, { ...found, replicas: String(replicas) });
    if (Object.keys(differs).length > 0) {
      this.#log.warn(
        { topic, differs },
        'a topic is kept otherwise than the settings say: what it holds may be lost. Change it with kafka-configs, or the settings',
      );
    }
    this.#compared.add(topic);
  }
}

/** Lets a broker that lacks acknowledged messages become the leader. Not set, as not every cluster lets us; compared. */
const UNCLEAN = 'unclean.leader.election.enable';
/** More of these is no difference. */
const AT_LEAST = new Set(['max.message.bytes', 'replicas']);

interface Difference {
  readonly is: string;
  readonly expected: string;
}

function differences(
  expected: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string | undefined>>,
): Record<string, Difference> {
  const differs: Record<string, Difference> = {};
  for (const [name, value] of Object.entries(expected)) {
    const is = found[name];
    if (is === undefined || is === value || (AT_LEAST.has(name) && Number(is) >= Number(value))) continue;
    differs[name] = { is, expected: value };
  }
  return differs;
}

/** Makes a topic, and waits while the broker says that it is there and does not know it yet. */
export async function untilKnown(make: () => Promise<boolean>): Promise<boolean> {
  for (let left = UNKNOWN_TRIES; ; left -= 1) {
    try {
      return await make();
    } catch (err) {
      const unknown =
        err instanceof kafkajs.KafkaJSProtocolError && err.type === 'UNKNOWN_TOPIC_OR_PARTITION';
      if (!unknown || left === 0) throw err;
    }
    await sleep(UNKNOWN_PAUSE_MS);
  }
}
