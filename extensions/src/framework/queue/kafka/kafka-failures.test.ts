import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { kafkaMissing, ownKafkaMissing } from '../../../testing/kafka-broker.js';
import { metric, readiness } from '../../../testing/probe.js';
import { eventually } from '../../../testing/eventually.js';
import { openSharedQueue, sharedKafka, SOON_DEAD } from '../../../testing/shared-kafka.js';
import { putEntry, startMetadata, startPopulator, startProcessor } from '../../../testing/stack.js';
import { redrive } from '../../processor/redrive.js';
import { failedTopicOf, type Queue } from '../queue.js';

const open = (t: TestContext): Promise<Queue> => openSharedQueue(t, 4);

/** Publishes until it is taken, as the populator does. */
async function insist(queue: Queue, topic: string, key: string, value: string): Promise<void> {
  for (;;) {
    try {
      await queue.publish(topic, [{ key, value }]);
      return;
    } catch (err) {
      assert.equal((err as { code?: string }).code, 'UNAVAILABLE');
      await sleep(100);
    }
  }
}

test(
  'with the broker killed and started again, nothing is lost and the order is kept',
  { skip: ownKafkaMissing },
  async t => {
    const broker = await sharedKafka();
    // The broker that comes back waits for the member that was there before it was killed.
    const [queue, topic] = [await openSharedQueue(t, 4, SOON_DEAD), `killed-${randomUUID()}`];
    const seen = new Map<string, number[]>();
    await queue.consume({
      topic,
      group: topic,
      concurrency: 4,
      handle: ({ key, value }) =>
        Promise.resolve(void seen.set(key, [...(seen.get(key) ?? []), Number(value)])),
    });
    const total = 120;
    const writing = (async () => {
      for (let i = 0; i < total; i++) await insist(queue, topic, `k${i % 4}`, String(i));
    })();
    await eventually(() => seen.size > 0, 'some came');
    await broker.stop('SIGKILL');
    await assert.rejects(queue.ready(), { code: 'UNAVAILABLE' });
    await broker.start();
    await writing;
    const firsts = (key: string): number[] => [...new Set(seen.get(key))];
    const keys = ['k0', 'k1', 'k2', 'k3'];
    await eventually(() => keys.every(key => firsts(key).length === total / 4), 'all came');
    for (const key of keys)
      assert.deepEqual(
        firsts(key),
        firsts(key).sort((a, b) => a - b),
        `order of ${key}`,
      );
    await eventually(
      () =>
        queue.ready().then(
          () => true,
          () => false,
        ),
      'it is ready again',
    );
  },
);

test(
  'two members of a group share the partitions, and give them over without loss',
  { skip: kafkaMissing },
  async t => {
    const [first, second, topic] = [await open(t), await open(t), `shared-${randomUUID()}`];
    const by: Record<string, Set<number>> = { first: new Set(), second: new Set() };
    const done = new Set<string>();
    const join = (queue: Queue, name: string): ReturnType<Queue['consume']> =>
      queue.consume({
        topic,
        group: topic,
        concurrency: 4,
        handle: async ({ partition, value }) => {
          await sleep(2);
          by[name]?.add(partition);
          done.add(value);
        },
      });
    const publish = async (from: number, to: number): Promise<void> => {
      const messages = Array.from({ length: to - from }, (_, i) => ({
        key: `k${i % 40}`,
        value: String(from + i),
      }));
      await first.publish(topic, messages);
    };
    await join(first, 'first');
    await publish(0, 400);
    await eventually(() => done.size === 400, 'the first one does all');
    assert.equal(by.first?.size, 4);
    by.first.clear();
    const other = await join(second, 'second');
    let next = 400;
    while (by.second?.size === 0) await publish(next, (next += 100));
    await eventually(() => done.size === next, 'both together did all');
    by.first.clear();
    by.second?.clear();
    await publish(next, (next += 400));
    await eventually(() => done.size === next, 'both together do all');
    assert.equal(by.first.size + (by.second?.size ?? 0), 4, 'each partition has one member');
    assert.equal(by.second?.size, 2);
    await other.close();
    await publish(next, (next += 400));
    await eventually(() => done.size === next, 'the first one does the rest');
  },
);

test('parked messages are put back from all partitions', { skip: kafkaMissing }, async t => {
  const [queue, topic] = [await open(t), `parked-${randomUUID()}`];
  const messages = Array.from({ length: 30 }, (_, i) => ({
    key: `k${i}`,
    value: String(i),
    headers: { attempts: '5' },
  }));
  await queue.publish(failedTopicOf(topic), messages);
  assert.equal(await redrive(queue, topic, topic), 30);
  assert.equal(await redrive(queue, topic, topic), 0);
  const got = new Map<string, string | undefined>();
  await queue.consume({
    topic,
    group: topic,
    concurrency: 2,
    handle: ({ value, headers }) => Promise.resolve(void got.set(value, headers.redriven)),
  });
  await eventually(() => got.size === 30, 'all came');
  assert.deepEqual(new Set(got.values()), new Set(['1']));
});

test(
  'populator and processor wait for brokers that are away, and say so',
  { skip: ownKafkaMissing },
  async t => {
    const broker = await sharedKafka();
    await broker.stop();
    const data = await temporaryFolder(t);
    const metadata = await startMetadata(t, data);
    const env = { KAFKA_HOSTS: broker.hosts, EXTENSIONS_HELLOWORLD_TOPIC: `away-${randomUUID()}` };
    await putEntry(metadata, 'b1', 'helloworld', {});
    const populator = await startPopulator(t, data, metadata.port, env);
    const processor = await startProcessor(t, data, 'helloWorld', { ...env, S3_PORT: String(metadata.port) });
    const [ofPopulator, ofProcessor] = [
      populator.ports.POPULATOR_PROBE_PORT,
      processor.ports.PROCESSOR_PROBE_PORT,
    ];
    for (const port of [ofPopulator, ofProcessor]) assert.equal((await readiness(port)).status, 503);
    await eventually(() => processor.output().includes('waiting for them'), 'it says so in the log');
    await broker.start();
    await eventually(
      async () => (await metric(ofPopulator, 'populator_published_total')) === 1,
      'it is published',
    );
    await eventually(
      async () => (await metric(ofProcessor, 'processor_messages_in_flight')) === 1,
      'it is taken',
    );
    assert.equal((await readiness(ofPopulator)).status, 200);
    await broker.stop('SIGKILL');
    await eventually(
      async () => (await readiness(ofPopulator)).status === 503,
      'it says that the broker is away again',
    );
    await broker.start();
    await eventually(async () => (await readiness(ofPopulator)).status === 200, 'it is ready again');
    assert.deepEqual(await populator.kill(), { code: 0, signal: null });
    assert.deepEqual(await processor.kill(), { code: 0, signal: null });
  },
);
