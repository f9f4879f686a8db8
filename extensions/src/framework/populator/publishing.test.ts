import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { createRegistry } from '@zenko-modules/common/probe-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { type LogEntry, QueuePopulatorExtension } from '../contract/queue-populator-extension.js';
import { createPopulatorMetrics } from '../extension-metrics.js';
import { redrive } from '../processor/redrive.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';
import type { ReceivedMessage } from '../queue/queue.js';
import { Filtering } from './filtering.js';
import { publishAll } from './publishing.js';

const LARGE = 'x'.repeat(17 * 1024 * 1024);
const never = new AbortController().signal;

async function openQueue(t: TestContext): Promise<EmbeddedQueue> {
  const folder = await temporaryFolder(t);
  const queue = new EmbeddedQueue({ folder, segmentBytes: 2 ** 20, log: silentLogger() });
  t.after(() => queue.close());
  return queue;
}

/** Has records 7, 8, … of `changes` filtered and published as a populator does. */
async function populate(
  queue: EmbeddedQueue,
  changes: readonly { key: string; value: string }[],
  filter: (extension: QueuePopulatorExtension, entry: LogEntry) => void,
) {
  class Own extends QueuePopulatorExtension {
    filter(entry: LogEntry): void {
      filter(this, entry);
    }
  }
  const [log, metrics] = [silentLogger(), createPopulatorMetrics(createRegistry())];
  const named = { name: 'own', filter: new Own({ config: {}, logger: log }), topic: 'own' };
  const onTrouble = (trouble: string | undefined): void => assert.equal(trouble, undefined);
  const filtering = new Filtering({ named, attempts: 1, metrics, log, onTrouble });
  const timestamp = '2026-01-01T00:00:00.000Z';
  const items = changes.map(change => ({
    timestamp,
    db: 'b',
    entries: [{ type: 'put', ...change } as const],
  }));
  const batch = { items, start: 7, next: { nextSeq: 7 + items.length }, atEnd: true };
  const outgoing = await filtering.run(batch, never);
  assert.ok(outgoing);
  const options = { extension: 'own', queue, fence: () => Promise.resolve(), metrics, log, onTrouble };
  assert.equal(await publishAll(outgoing, options, never), true);
  return metrics;
}

async function read(queue: EmbeddedQueue, topic: string, count: number): Promise<ReceivedMessage[]> {
  const found: ReceivedMessage[] = [];
  const handle = (one: ReceivedMessage): Promise<void> => Promise.resolve(void found.push(one));
  const consumer = await queue.consume({ topic, group: 'test', concurrency: 1, handle });
  await eventually(() => found.length >= count, `${topic} has ${count}`);
  await consumer.close();
  return found;
}

test('in place of a message that is too large, what tells of it is parked; a re-drive leaves it there', async t => {
  const queue = await openQueue(t);
  const changes = ['a', 'k\u000098', 'z'].map(key => ({ key, value: key.startsWith('k') ? LARGE : '{}' }));
  const metrics = await populate(queue, changes, (extension, entry) =>
    extension.publish('topic', `b/${entry.key}`, JSON.stringify(entry)),
  );
  const published = await read(queue, 'topic', 2);
  assert.deepEqual(
    published.map(({ value }) => (JSON.parse(value) as LogEntry).key),
    ['a', 'z'],
  );
  const [parked] = await read(queue, 'topic-failed', 1);
  assert.ok(parked);
  const { bytes, reason, ...told } = JSON.parse(parked.value) as Record<string, unknown>;
  assert.deepEqual(told, {
    topic: 'topic',
    bucket: 'b',
    key: 'k',
    versionId: Buffer.from('98').toString('hex'),
    seq: 8,
    messageKey: 'b%2Fk%0098',
  });
  assert.ok(Number(bytes) > LARGE.length);
  assert.match(String(reason), /larger than/);
  const { extension, 'error-kind': kind } = parked.headers;
  assert.deepEqual({ extension, kind }, { extension: 'own', kind: 'too-large' });
  const counted = await metrics.parked.get();
  assert.deepEqual(
    counted.values.map(({ labels, value }) => [labels.topic, value]),
    [['topic-failed', 1]],
  );
  assert.equal(await redrive(queue, 'topic', 'g'), 0);
  const again = await read(queue, 'topic-failed', 1);
  assert.deepEqual([again.length, again[0]?.value, again[0]?.headers], [1, parked.value, parked.headers]);
});

test('an entry that is too large to be parked for a filter that fails is told of as well', async t => {
  const queue = await openQueue(t);
  await populate(queue, [{ key: 'k', value: LARGE }], () => {
    throw new Error('not this one');
  });
  const [parked] = await read(queue, 'own-failed', 1);
  const { bucket, key, seq } = JSON.parse(parked?.value ?? '') as Record<string, unknown>;
  assert.deepEqual({ bucket, key, seq }, { bucket: 'b', key: 'k', seq: 7 });
  assert.equal(parked?.headers['error-kind'], 'too-large');
});
