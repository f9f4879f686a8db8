import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { type Logger, silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import kafkajs, { type Admin, Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { QUEUE_SETTINGS } from '../../extension-settings.js';
import { eventually } from '../../../testing/eventually.js';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { sharedKafka } from '../../../testing/shared-kafka.js';
import { openQueue } from '../open-queue.js';
import { failedTopicOf, type Queue } from '../queue.js';
import { kafkaOptions } from './kafka-settings.js';
import { untilKnown } from './kafka-topics.js';

async function adminOf(t: TestContext): Promise<Admin> {
  const { hosts } = await sharedKafka();
  const admin = new Kafka({ brokers: [hosts], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  t.after(() => admin.disconnect());
  return admin;
}

async function configOf(admin: Admin, topic: string): Promise<Record<string, string>> {
  const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic };
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
  const entries = resources[0]?.configEntries ?? [];
  return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
}

interface LogLine {
  readonly msg: string;
  readonly topic?: string;
  readonly differs?: object;
}

function recordingLogger(lines: LogLine[]): Logger {
  return pino({ level: 'info' }, { write: line => void lines.push(JSON.parse(line) as LogLine) });
}

async function open(t: TestContext, env = {}, log = silentLogger()): Promise<Queue> {
  const { hosts } = await sharedKafka();
  const settings = readSettings(QUEUE_SETTINGS, { KAFKA_HOSTS: hosts, ...env });
  const queue = await openQueue(settings, settings.KAFKA_HOSTS, log);
  t.after(() => queue.close());
  return queue;
}

/** Publishes until it is taken, as the populator does. */
async function insist(queue: Queue, topic: string, value: string): Promise<void> {
  for (;;) {
    try {
      await queue.publish(topic, [{ key: 'k', value }]);
      return;
    } catch (err) {
      assert.equal((err as { code?: string }).code, 'UNAVAILABLE');
      await sleep(100);
    }
  }
}

test(
  'a topic that is deleted while it is published to and consumed is made again',
  { skip: kafkaMissing },
  async t => {
    const admin = await adminOf(t);
    const topic = `deleted-${randomUUID()}`;
    const [publisher, consumer] = [await open(t), await open(t)];
    const values: string[] = [];
    await consumer.consume({
      topic,
      group: topic,
      concurrency: 1,
      handle: ({ value }) => Promise.resolve(void values.push(value)),
    });
    await insist(publisher, topic, 'first');
    await eventually(() => values.includes('first'), 'it is consumed');
    for (const round of [1, 2]) {
      await admin.deleteTopics({ topics: [topic] });
      if (round === 1)
        await eventually(
          async () => (await admin.listTopics()).includes(topic),
          'the consumer makes it again',
        );
      await eventually(async () => {
        // What is acknowledged while the brokers are deleting goes with the topic.
        await insist(publisher, topic, `after ${round}`);
        return values.includes(`after ${round}`);
      }, 'what is published comes');
      await consumer.ready();
      await publisher.ready();
    }
  },
);

test('topics are made so that they lose nothing', { skip: kafkaMissing }, async t => {
  const admin = await adminOf(t);
  const topic = `made-${randomUUID()}`;
  const queue = await open(t);
  await queue.publish(topic, [{ key: 'k', value: 'v' }]);
  await queue.publish(failedTopicOf(topic), [{ key: 'k', value: 'v' }]);
  const week = await open(t, { KAFKA_TOPIC_RETENTION_MS: '604800000' });
  await week.prepare(`${topic}-week`);
  await week.prepare(failedTopicOf(`${topic}-week`));
  const retention = async (name: string): Promise<unknown> => (await configOf(admin, name))['retention.ms'];
  assert.equal(await retention(topic), '-1');
  assert.equal(await retention(failedTopicOf(topic)), '-1');
  assert.equal(await retention(`${topic}-week`), '604800000');
  assert.equal(await retention(failedTopicOf(`${topic}-week`)), '-1');
  const config = await configOf(admin, topic);
  assert.equal(config['retention.bytes'], '-1');
  assert.equal(config['cleanup.policy'], 'delete');
  assert.equal(config['min.insync.replicas'], '1');
});

test('acknowledged is what more than half of the replicas have, or as many as a setting says', () => {
  const minInsync = (env: Record<string, string>): number => {
    const settings = readSettings(QUEUE_SETTINGS, { KAFKA_HOSTS: 'k', ...env });
    return kafkaOptions(settings, settings.KAFKA_HOSTS ?? []).minInsync;
  };
  const replication = (value: string) => ({ KAFKA_TOPIC_REPLICATION: value });
  const numbers = ['1', '2', '3', '4', '5'].map(value => minInsync(replication(value)));
  assert.deepEqual(numbers, [1, 2, 2, 3, 3]);
  assert.equal(minInsync({ ...replication('3'), KAFKA_TOPIC_MIN_INSYNC_REPLICAS: '3' }), 3);
  assert.throws(
    () => minInsync({ ...replication('2'), KAFKA_TOPIC_MIN_INSYNC_REPLICAS: '3' }),
    /KAFKA_TOPIC_MIN_INSYNC_REPLICAS \(3\) must not be larger than KAFKA_TOPIC_REPLICATION \(2\)/,
  );
  for (const value of ['0', '-2', '1.5', '59999', 'week']) {
    assert.throws(
      () => minInsync({ KAFKA_TOPIC_RETENTION_MS: value }),
      /-1 \(for ever\) or milliseconds from 60000/,
    );
  }
});

test(
  'topics that are kept otherwise are told of at the start, with names and numbers',
  { skip: kafkaMissing },
  async t => {
    const admin = await adminOf(t);
    const topic = `others-${randomUUID()}`;
    const entries = (values: Record<string, string>) =>
      Object.entries(values).map(([name, value]) => ({ name, value }));
    const large = { 'max.message.bytes': '20000000' };
    const week = { 'retention.ms': '604800000' };
    const topics = [
      { topic, configEntries: entries({ ...large, ...week, 'cleanup.policy': 'compact' }) },
      { topic: failedTopicOf(topic), configEntries: entries({ ...large, ...week }) },
    ];
    await untilKnown(() => admin.createTopics({ topics }));
    const lines: LogLine[] = [];
    const queue = await open(t, { KAFKA_TOPIC_REPLICATION: '3' }, recordingLogger(lines));
    await queue.consume({ topic, group: topic, concurrency: 1, handle: () => Promise.resolve() });
    const told = (name: string) => lines.filter(line => line.topic === name && line.differs);
    await eventually(() => told(failedTopicOf(topic)).length > 0, 'both are told of');
    const replication = {
      'min.insync.replicas': { is: '1', expected: '2' },
      replicas: { is: '1', expected: '3' },
      'retention.ms': { is: '604800000', expected: '-1' },
    };
    assert.deepEqual(told(topic)[0]?.differs, {
      ...replication,
      'cleanup.policy': { is: 'compact', expected: 'delete' },
    });
    assert.deepEqual(told(failedTopicOf(topic))[0]?.differs, replication);
    await queue.progress(topic, topic);
    await queue.prepare(topic);
    assert.equal(told(topic).length, 1);
    const fitting = { KAFKA_TOPIC_RETENTION_MS: '604800000' };
    const own = `own-${randomUUID()}`;
    await (await open(t, fitting)).prepare(own);
    await (await open(t, fitting, recordingLogger(lines))).prepare(own);
    assert.deepEqual(told(own), []);
  },
);
