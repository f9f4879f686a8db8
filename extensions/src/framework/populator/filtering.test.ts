import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { createRegistry } from '@zenko-modules/common/probe-server';
import { describeObject } from '../contract/object-event.js';
import { type LogEntry, QueuePopulatorExtension } from '../contract/queue-populator-extension.js';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { createPopulatorMetrics } from '../extension-metrics.js';
import { redrive } from '../processor/redrive.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';
import type { ReceivedMessage } from '../queue/queue.js';
import { eventually } from '../../testing/eventually.js';
import { FilterPatience } from './filter-patience.js';
import { Filtering, type Outgoing } from './filtering.js';
import { parkedEntry } from './parked-entry.js';
import type { Batch } from './record-log-reader.js';
import { refilter } from './refilter.js';

const batchOf = (...keys: string[]): Batch => ({
  items: keys.map(key => ({
    timestamp: '2026-01-01T00:00:00.000Z',
    db: 'b',
    entries: [{ type: 'put', key, value: '{}' }],
  })),
  start: 1,
  next: { nextSeq: keys.length + 1 },
  atEnd: true,
});

/** A filter that publishes every key to `t`, after `work` has let it. */
function filtering(work: (entry: LogEntry) => unknown, attempts = 3, patience?: FilterPatience) {
  const troubles: string[] = [];
  class Own extends QueuePopulatorExtension {
    async filterAsync(entry: LogEntry): Promise<void> {
      this.publish('t', entry.key, 'early');
      await work(entry);
      this.publish('t', entry.key, entry.key);
    }
  }
  const log = silentLogger();
  return new Filtering({
    named: { name: 'own', filter: new Own({ config: {}, logger: log }) },
    attempts,
    metrics: createPopulatorMetrics(createRegistry()),
    log,
    onTrouble: trouble => trouble !== undefined && troubles.push(trouble),
    ...(patience && { patience }),
  });
}

const never = new AbortController().signal;
const valuesOf = (outgoing: Outgoing | undefined, topic = 't'): string[] =>
  (outgoing?.get(topic) ?? []).map(({ value }) => value);

test('a deletion reaches a filter without a value, and each entry has the time where Backbeat has it', async () => {
  const seen: LogEntry[] = [];
  const timestamp = '2026-01-01T00:00:00.000Z';
  const item = { timestamp, db: 'b', entries: [{ type: 'del', key: 'a' } as const] };
  await filtering(entry => seen.push(entry)).run({ ...batchOf(), items: [item] }, never);
  const overheadFields = { commitTimestamp: timestamp, opTimestamp: timestamp };
  assert.deepEqual(seen, [{ type: 'del', bucket: 'b', key: 'a', timestamp, overheadFields }]);
});

test('a filter that fails for a passing reason loses nothing, publishes once, and keeps the order', async () => {
  let failures = 2;
  const outgoing = await filtering(({ key }) => {
    if (key === 'b' && failures-- > 0) throw new Error('the database is away');
  }).run(batchOf('a', 'b', 'c'), never);
  assert.deepEqual(valuesOf(outgoing), ['early', 'a', 'early', 'b', 'early', 'c']);
  assert.deepEqual([...(outgoing?.keys() ?? [])], ['t']);
});

test('an entry of which a filter says that trying again cannot help is parked at once', async () => {
  let calls = 0;
  const outgoing = await filtering(entry => {
    calls += 1;
    if (entry.key === 'b') describeObject({ ...entry, value: '{"a":' });
  }).run(batchOf('a', 'b', 'c'), never);
  assert.deepEqual(valuesOf(outgoing), ['early', 'a', 'early', 'c']);
  const [parked] = outgoing?.get('own-failed') ?? [];
  assert.equal(parked?.headers?.['error-name'], 'PermanentError');
  assert.equal(calls, 3);
});

test('a filter that keeps failing has its entry parked with what a person needs to know', async () => {
  const outgoing = await filtering(({ key }) => {
    if (key === 'b\0v1') throw new TypeError('this one never');
  }).run(batchOf('a', 'b\0v1', 'c'), never);
  assert.deepEqual(valuesOf(outgoing), ['early', 'a', 'early', 'c']);
  const [parked] = outgoing?.get('own-failed') ?? [];
  assert.ok(parked);
  assert.equal(parked.key, 'b%2Fb');
  assert.deepEqual(JSON.parse(parked.value), {
    type: 'put',
    bucket: 'b',
    key: 'b\0v1',
    value: '{}',
    overheadFields: {
      commitTimestamp: '2026-01-01T00:00:00.000Z',
      opTimestamp: '2026-01-01T00:00:00.000Z',
    },
    timestamp: '2026-01-01T00:00:00.000Z',
  });
  const { 'failed-at': failedAt = '', ...headers } = parked.headers ?? {};
  assert.ok(Date.parse(failedAt) > 0);
  assert.deepEqual(headers, {
    extension: 'own',
    'error-kind': 'filter',
    'error-name': 'TypeError',
    'error-message': 'this one never',
    attempts: '3',
  });
});

test('a re-drive gives parked entries to the filter again, and parks again what fails again', async t => {
  const queue = new EmbeddedQueue({
    folder: await temporaryFolder(t),
    segmentBytes: 1e6,
    log: silentLogger(),
  });
  t.after(() => queue.close());
  class Own extends QueuePopulatorExtension {
    filter({ key }: LogEntry): void {
      if (key === 'never') throw new Error('not this one');
      this.publish('elsewhere', key, key);
    }
  }
  const log = silentLogger();
  const named = { name: 'own', filter: new Own({ config: {}, logger: log }), topic: 'own' };
  const entries = ['a', 'never', 'b'].map(
    key => ({ type: 'put', bucket: 'b', key, value: '{}', timestamp: '2026-01-01T00:00:00.000Z' }) as const,
  );
  const message = { key: 'm', value: 'a message', headers: { 'error-kind': 'object', kept: 'yes' } };
  const parked = entries.map(entry => parkedEntry('own', entry, new Error('away'), 8));
  await queue.publish('own-failed', [...parked, message]);
  const again = (): Promise<number> => redrive(queue, 'own', 'own-group', one => refilter(named, one, log));
  assert.equal(await again(), 4);
  const read = async (topic: string, count: number) => {
    const found: ReceivedMessage[] = [];
    const handle = (one: ReceivedMessage): Promise<void> => Promise.resolve(void found.push(one));
    await queue.consume({ topic, group: 'test', concurrency: 1, handle });
    await eventually(() => found.length >= count, `${topic} has ${count}`);
    return found;
  };
  assert.deepEqual(
    (await read('elsewhere', 2)).map(({ value }) => value),
    ['a', 'b'],
  );
  assert.deepEqual(
    (await read('own', 1)).map(({ value, headers }) => [value, headers.kept]),
    [['a message', 'yes']],
  );
  const failed = await read('own-failed', 5);
  assert.equal(failed.length, 5);
  assert.equal((JSON.parse(failed[4]?.value ?? '') as LogEntry).key, 'never');
  assert.equal(failed[4]?.headers['error-message'], 'not this one');
});

test('a name that is no topic counts as a failure', async () => {
  class Own extends QueuePopulatorExtension {
    filter(): void {
      this.publish('fine', 'k', 'v');
      this.publish('not fine', 'k', 'v');
    }
  }
  const log = silentLogger();
  const named = { name: 'own', filter: new Own({ config: {}, logger: log }), topic: 'fine' };
  const metrics = createPopulatorMetrics(createRegistry());
  const outgoing = await new Filtering({ named, attempts: 1, metrics, log, onTrouble: () => undefined }).run(
    batchOf('a'),
    never,
  );
  assert.deepEqual([...(outgoing?.keys() ?? [])], ['fine-failed']);
});

test('a stop ends the trying again, and nothing of the batch is taken for done', async () => {
  const stop = new AbortController();
  const running = filtering(() => {
    setImmediate(() => stop.abort());
    throw new Error('always');
  }, 1000).run(batchOf('a'), stop.signal);
  assert.equal(await running, undefined);
});

test('patience is spent in one go, and a tenth of the time gives it back', () => {
  const patience = new FilterPatience(1000, 0);
  patience.spend(900, 0);
  assert.equal(patience.left(0), 100);
  assert.equal(patience.left(1000), 200);
  patience.spend(5000, 1000);
  assert.equal(patience.left(1000), 0);
  assert.equal(patience.left(1_000_000), 1000);
});

test('a filter for which there is no patience left gets one attempt for each entry', async () => {
  const attempts: string[] = [];
  const refuse = ({ key }: LogEntry): never => {
    attempts.push(key);
    throw new Error('no');
  };
  const outgoing = await filtering(refuse, 50, new FilterPatience(0)).run(batchOf('a', 'b'), never);
  assert.deepEqual(attempts, ['a', 'b']);
  assert.equal(outgoing?.get('own-failed')?.length, 2);
});
