import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { callProcessor } from '../processor/attempt.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';
import type { ReceivedMessage } from '../queue/queue.js';
import { BackbeatConsumer } from './backbeat-consumer.js';
import { BackbeatProducer } from './backbeat-producer.js';
import { type BackbeatHost, runIn } from './host.js';
import type { MetadataParams } from './metadata.js';

test('what a producer sends a consumer gets, and is done when it is said to be committable', async t => {
  const queue = new EmbeddedQueue({
    folder: await temporaryFolder(t),
    segmentBytes: 1024 ** 2,
    log: silentLogger(),
  });
  t.after(() => queue.close());
  const host: BackbeatHost = {
    consume: ({ topic, group }, processor) =>
      queue.consume({
        topic,
        group,
        concurrency: 1,
        handle: async (message, signal) => {
          await callProcessor(processor, message, signal);
        },
      }),
    publish: (topic, messages) => queue.publish(topic, messages),
    partitions: async topic => (await queue.progress(topic, 'g')).map(({ partition }) => partition),
    credentials: () => () => Promise.reject(new Error('none')),
  };
  const producer = runIn(host, () => new BackbeatProducer({ topic: 't' }));
  await once(producer, 'ready');
  const entries = [{ key: 'k', message: 'one' }];
  const sent = await new Promise((resolve, reject) => {
    producer.send(entries, (err, reports) => (err ? reject(err) : resolve(reports)));
  });
  assert.deepEqual(sent, [{ topic: 't', key: 'k' }]);
  const metadata = (params: MetadataParams): Promise<unknown> =>
    new Promise((resolve, reject) => {
      producer.getMetadata(params, (err, found) => (err ? reject(err) : resolve(found)));
    });
  assert.deepEqual(await metadata({}), { topics: [{ name: 't', partitions: [{ id: 0 }] }] });
  assert.deepEqual(await metadata({ topic: 'other' }), {
    topics: [{ name: 'other', partitions: [{ id: 0 }] }],
  });
  await assert.rejects(metadata({ topic: 'no topic' }), /is no topic or group name/);
  const withoutTopic = runIn(host, () => new BackbeatProducer());
  const none = new Promise((resolve, reject) => {
    withoutTopic.getMetadata({}, (err, found) => (err ? reject(err) : resolve(found)));
  });
  assert.deepEqual(await none, { topics: [] });

  const got: ReceivedMessage[] = [];
  const consumer = runIn(
    host,
    () =>
      new BackbeatConsumer({
        topic: 't',
        groupId: 'g',
        queueProcessor: (entry, done) => {
          got.push(entry);
          done(null, { committable: false });
        },
      }),
  );
  await once(consumer, 'ready');
  consumer.subscribe();
  await eventually(() => Promise.resolve(got.length === 1), 'it is got');
  assert.equal(got[0]?.value, 'one');
  assert.equal(await queue.backlog('t', 'g'), 1);
  for (const entry of got) consumer.onEntryCommittable(entry);
  await eventually(async () => (await queue.backlog('t', 'g')) === 0, 'it is done');
  await new Promise<void>(resolve => consumer.close(() => resolve()));
  assert.throws(() => new BackbeatProducer(), /works only in an extension's queueProcessor/);
});
