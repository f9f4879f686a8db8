/** A processor in Backbeat's form that reads another topic, in another group, than its section says. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { kafkaMissing } from '../../testing/kafka-broker.js';
import { metric } from '../../testing/probe.js';
import { sharedKafka } from '../../testing/shared-kafka.js';
import { startProcessor } from '../../testing/stack.js';
import { QUEUE_SETTINGS } from '../extension-settings.js';
import { openQueue } from '../queue/open-queue.js';

const BACKBEAT = new URL('../../backbeat.js', import.meta.url).href;

/** Reads `topic`; at the message `pause` it tells the metadata in `<topic>-told`, and pauses until the file `resume` is there. */
async function writeExtension(folder: string, topic: string): Promise<void> {
  await mkdir(path.join(folder, 'elsewhere'), { recursive: true });
  await writeFile(
    path.join(folder, 'elsewhere', 'index.mjs'),
    `import { existsSync } from 'node:fs';
    import { BackbeatConsumer, BackbeatProducer } from '${BACKBEAT}';
    class Processor {
      start() {
        this.producer = new BackbeatProducer({ topic: '${topic}-told' });
        this.consumer = new BackbeatConsumer({
          topic: '${topic}',
          groupId: 'its-own-group',
          concurrency: 1,
          queueProcessor: (entry, done) => this.process(entry, done),
        });
        this.consumer.on('ready', () => this.consumer.subscribe());
      }
      process({ value }, done) {
        if (value !== 'pause') return done();
        this.consumer.pause();
        const timer = setInterval(() => {
          if (!existsSync('${path.join(folder, 'elsewhere', 'resume')}')) return;
          clearInterval(timer);
          this.consumer.resume();
        }, 20);
        this.consumer.getMetadata({}, (err, found) => {
          if (err) return done(err);
          this.producer.send([{ key: 'k', message: JSON.stringify(found) }], err => done(err));
        });
      }
      stop(done) { this.consumer.close(done); }
    }
    export default () => ({ name: 'elsewhere', version: '1.0.0', queueProcessor: Processor });`,
  );
}

async function seesItsOwnBacklog(t: TestContext, queueEnv: Record<string, string>): Promise<void> {
  const data = await temporaryFolder(t);
  const topic = `elsewhere-${randomUUID()}`;
  await writeExtension(path.join(data, 'own'), topic);
  await mkdir(path.join(data, 'extensions', 'queue'), { recursive: true });
  const settings = readSettings(QUEUE_SETTINGS, { DATA_DIR: data, ...queueEnv });
  const queue = await openQueue(settings, settings.KAFKA_HOSTS, silentLogger());
  t.after(() => queue.close());
  const values = ['pause', 'one', 'two', 'three'];
  await queue.publish(
    topic,
    values.map(value => ({ key: 'k', value })),
  );
  const told: string[] = [];
  await queue.consume({
    topic: `${topic}-told`,
    group: 'test',
    concurrency: 1,
    handle: ({ value }) => Promise.resolve(void told.push(value)),
  });
  const processor = await startProcessor(t, data, 'elsewhere', {
    EXTENSIONS_PATH: path.join(data, 'own'),
    EXTENSIONS_ELSEWHERE_TOPIC: `${topic}-section`,
    LOG_LEVEL: 'warn',
    ...queueEnv,
  });
  const port = processor.ports.PROCESSOR_PROBE_PORT;
  const backlog = (): Promise<number> =>
    metric(port, 'queue_backlog_messages', `topic="${topic}"`, 'group="its-own-group"');
  await eventually(async () => (await backlog()) > 0, 'the backlog of what it reads is seen');
  await eventually(
    async () => (await metric(port, 'processor_lag_messages')) === 3,
    'three wait while it pauses',
  );
  await eventually(() => told.length === 1, 'it has told what it was told');
  const { topics } = JSON.parse(told[0] ?? '') as {
    topics: { name: string; partitions: { id: number }[] }[];
  };
  assert.equal(topics[0]?.name, topic);
  assert.ok(topics[0].partitions.some(({ id }) => id === 0));
  await writeFile(path.join(data, 'own', 'elsewhere', 'resume'), '');
  await eventually(async () => (await metric(port, 'processor_lag_messages')) === 0, 'it has gone on');
  assert.equal(await backlog(), 0);
  assert.equal(await metric(port, 'processor_messages_total', 'processed'), values.length);
}

test('its lag is that of what it reads, it may pause, and is told the partitions (files)', t =>
  seesItsOwnBacklog(t, {}));

test(
  'its lag is that of what it reads, it may pause, and is told the partitions (Kafka)',
  { skip: kafkaMissing },
  async t => seesItsOwnBacklog(t, { KAFKA_HOSTS: (await sharedKafka()).hosts }),
);
