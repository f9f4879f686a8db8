import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { Kafka, logLevel } from 'kafkajs';
import { pino } from 'pino';
import { QUEUE_SETTINGS } from '../../extension-settings.js';
import { eventually } from '../../../testing/eventually.js';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { sharedKafka } from '../../../testing/shared-kafka.js';
import { openQueue } from '../open-queue.js';
import type { Consumer, Queue } from '../queue.js';

interface LogLine {
  readonly level: number;
  readonly partition?: number;
  readonly from?: string;
  readonly to?: string;
  readonly messages?: number;
  readonly oldest?: string;
}

interface Setup {
  readonly queue: Queue;
  readonly topic: string;
  readonly values: string[];
  readonly lost: number[];
  readonly lines: LogLine[];
  /** While on, messages are not handled. */
  readonly hold: { on: boolean; held: boolean };
  readonly consume: () => Promise<Consumer>;
  readonly publish: (from: number, to: number) => Promise<void>;
  /** Removes the messages before `offset`, as Kafka's retention does. */
  readonly removeBefore: (offset: number) => Promise<void>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const { hosts } = await sharedKafka();
  const admin = new Kafka({ brokers: [hosts], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  t.after(() => admin.disconnect());
  const lines: LogLine[] = [];
  const log: Logger = pino(
    { level: 'error' },
    { write: line => void lines.push(JSON.parse(line) as LogLine) },
  );
  const settings = readSettings(QUEUE_SETTINGS, { KAFKA_HOSTS: hosts, KAFKA_TOPIC_PARTITIONS: '1' });
  const queue = await openQueue(settings, settings.KAFKA_HOSTS, log);
  t.after(() => queue.close());
  const topic = `lost-${randomUUID()}`;
  const [values, lost]: [string[], number[]] = [[], []];
  const hold = { on: false, held: false };
  return {
    queue,
    topic,
    values,
    lost,
    lines,
    hold,
    consume: () =>
      queue.consume({
        topic,
        group: topic,
        concurrency: 1,
        handle: async ({ value }) => {
          hold.held = true;
          while (hold.on) await sleep(20);
          values.push(value);
        },
        onLost: count => void lost.push(count),
      }),
    publish: (from, to) => {
      const numbers = Array.from({ length: to - from }, (_, index) => from + index);
      return queue.publish(
        topic,
        numbers.map(number => ({ key: 'k', value: String(number) })),
      );
    },
    removeBefore: async offset => {
      // kafkajs only removes from a topic that it has asked for before.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
    },
  };
}

const finished = async ({ queue, topic }: Setup): Promise<boolean> =>
  (await queue.progress(topic, topic)).every(partition => partition.finished);

test(
  'messages that Kafka removed before a group had done them are counted, and told with their numbers',
  { skip: kafkaMissing },
  async t => {
    const setup = await setUp(t);
    const { values, lost, lines } = setup;
    await setup.publish(0, 5);
    const first = await setup.consume();
    await eventually(() => finished(setup), 'the first are done');
    await first.close();
    await setup.publish(5, 20);
    await setup.removeBefore(17);
    await setup.consume();
    await eventually(() => values.includes('19'), 'it goes on with the oldest that is there');
    assert.deepEqual(values, ['0', '1', '2', '3', '4', '17', '18', '19']);
    await eventually(() => lost.length > 0, 'what is lost is told');
    assert.deepEqual(lost, [12]);
    const told = lines.filter(({ messages }) => messages !== undefined);
    assert.equal(told.length, 1);
    const [{ partition, from, to, messages, oldest } = {} as LogLine] = told;
    assert.deepEqual([partition, from, to, messages, oldest], [0, '5', '16', 12, '17']);
    await eventually(() => finished(setup), 'all is done');
  },
);

test('a running group tells of it too', { skip: kafkaMissing }, async t => {
  const setup = await setUp(t);
  const { values, lost, hold } = setup;
  hold.on = true;
  await setup.publish(0, 1);
  await setup.consume();
  await eventually(() => hold.held, 'the first one is being handled');
  await setup.publish(1, 20);
  await setup.removeBefore(15);
  hold.on = false;
  await eventually(() => values.includes('19'), 'it goes on');
  await eventually(() => lost.length > 0, 'what is lost is told');
  assert.deepEqual(lost, [14]);
  assert.equal(values[1], '15');
});

test('a group that has done what was removed has lost nothing', { skip: kafkaMissing }, async t => {
  const setup = await setUp(t);
  const { values, lost, lines } = setup;
  await setup.publish(0, 3);
  const first = await setup.consume();
  await eventually(() => finished(setup), 'the first are done');
  await setup.removeBefore(3);
  await first.close();
  await setup.publish(3, 4);
  await setup.consume();
  await eventually(() => values.includes('3'), 'it goes on');
  assert.deepEqual(lost, []);
  assert.deepEqual(lines, []);
});
