import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { PermanentError } from '../contract/processor-errors.js';
import { createProcessorMetrics } from '../extension-metrics.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';
import type { Message, ReceivedMessage } from '../queue/queue.js';
import { eventually } from '../../testing/eventually.js';
import { MessageWorker } from './message-worker.js';
import { redrive } from './redrive.js';

interface Setup {
  readonly queue: EmbeddedQueue;
  readonly worker: MessageWorker;
  readonly parked: ReceivedMessage[];
  readonly send: (...messages: Message[]) => Promise<void>;
}

const failWith = (name: string, more: object = {}): Error =>
  Object.assign(new Error(name), { name, ...more });
const message = (key: string): Message => ({ key, value: `value of ${key}`, headers: { own: 'header' } });

/** A processor that consumes `topic` with `work`, and what gets parked. */
async function setUp(t: TestContext, work: (message: ReceivedMessage) => Promise<void>): Promise<Setup> {
  const queue = new EmbeddedQueue({
    folder: await temporaryFolder(t),
    segmentBytes: 1024 ** 2,
    log: silentLogger(),
  });
  t.after(() => queue.close());
  const worker = new MessageWorker({
    extension: 'own',
    processor: { processEntry: work },
    queue,
    retry: { maxAttempts: 3, minPauseMs: 1, maxPauseMs: 8 },
    finishMs: 50,
    metrics: createProcessorMetrics(new Registry()),
    log: silentLogger(),
  });
  await queue.consume({
    topic: 'topic',
    group: 'g',
    concurrency: 4,
    handle: (found, signal) => worker.work(found, signal),
  });
  const parked: ReceivedMessage[] = [];
  await queue.consume({
    topic: 'topic-failed',
    group: 'look',
    concurrency: 1,
    handle: found => Promise.resolve(void parked.push(found)),
  });
  return { queue, worker, parked, send: (...messages) => queue.publish('topic', messages) };
}

async function done(queue: EmbeddedQueue): Promise<void> {
  await eventually(
    async () => (await queue.progress('topic', 'g')).every(({ finished }) => finished),
    'all is done',
  );
}

test('a message that keeps failing is parked, with the error and the count of attempts', async t => {
  let attempts = 0;
  const { parked, send, queue } = await setUp(t, () => {
    attempts++;
    return Promise.reject(failWith('InvalidTag'));
  });
  await send(message('a'));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(attempts, 3);
  const [found] = parked;
  assert.equal(found?.key, 'a');
  assert.equal(found.value, 'value of a');
  assert.equal(found.headers.own, 'header');
  assert.equal(found.headers['error-name'], 'InvalidTag');
  assert.equal(found.headers['error-kind'], 'other');
  assert.equal(found.headers.attempts, '3');
  assert.equal(found.headers.extension, 'own');
  assert.equal(found.headers['original-topic'], 'topic');
  assert.ok(Date.parse(found.headers['failed-at'] ?? '') > 0);
  await done(queue);
});

test('a failure that passes is tried again, and nothing is parked', async t => {
  let attempts = 0;
  const { parked, send, queue } = await setUp(t, () => {
    attempts++;
    return attempts < 3 ? Promise.reject(failWith('InvalidTag')) : Promise.resolve();
  });
  await send(message('a'));
  await done(queue);
  assert.equal(attempts, 3);
  assert.deepEqual(parked, []);
});

for (const [name, expected] of [
  ['NoSuchKey', 'done'],
  ['PermanentError', 'parked'],
  ['AccessDenied', 'parked'],
] as const) {
  test(`${name} is ${expected} at the first attempt`, async t => {
    let attempts = 0;
    const { parked, send, queue } = await setUp(t, () => {
      attempts++;
      return Promise.reject(failWith(name));
    });
    await send(message('a'));
    if (expected === 'parked') await eventually(() => parked.length === 1, 'it is parked');
    await done(queue);
    assert.equal(attempts, 1);
    assert.equal(parked.length, expected === 'parked' ? 1 : 0);
  });
}

for (const [name, code] of [
  ['SlowDown', undefined],
  ['SignatureDoesNotMatch', undefined],
  ['Error', 'ECONNREFUSED'],
] as const) {
  test(`${code ?? name} is waited for, however long, and not parked`, async t => {
    let attempts = 0;
    const { parked, send, queue, worker } = await setUp(t, () => {
      attempts++;
      return attempts < 12 ? Promise.reject(failWith(name, { code })) : Promise.resolve();
    });
    await send(message('a'));
    await eventually(() => attempts > 6, 'it is tried often');
    if (name !== 'SlowDown') assert.match(worker.trouble ?? '', /^S3: /);
    await done(queue);
    assert.equal(attempts, 12);
    assert.deepEqual(parked, []);
    assert.equal(worker.trouble, undefined);
  });
}

test('a message at which S3 breaks off each time is parked when others succeed meanwhile', async t => {
  const { parked, send, queue } = await setUp(t, ({ key }) =>
    key === 'bad' ? Promise.reject(failWith('Error', { code: 'ECONNRESET' })) : Promise.resolve(),
  );
  await send(message('bad'));
  for (let i = 0; parked.length === 0 && i < 500; i++) await send(message(`good${i}`));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(parked[0]?.headers['error-kind'], 'unavailable');
  await done(queue);
});

test('a mistake in the program is parked, and the processor lives', async t => {
  const { parked, send, queue } = await setUp(t, ({ key }) => {
    if (key === 'a') throw new TypeError('undefined is not a function');
    return Promise.resolve();
  });
  await send(message('a'), message('b'));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(parked[0]?.headers['error-name'], 'TypeError');
  await done(queue);
});

test('a stop leaves what is waiting for another attempt, and it comes again', async t => {
  const attempts: string[] = [];
  const { queue, send, parked } = await setUp(t, ({ value }) => {
    attempts.push(value);
    return Promise.reject(failWith('Error', { code: 'ECONNREFUSED' }));
  });
  await send(message('a'));
  await eventually(() => attempts.length > 0, 'it was tried');
  await queue.close();
  assert.deepEqual(parked, []);
});

test('parked messages are put back once, and those that fail again stay parked', async t => {
  let broken = true;
  const processed: ReceivedMessage[] = [];
  const { queue, send, parked } = await setUp(t, found => {
    if (broken || found.key === 'bad') return Promise.reject(new PermanentError('not now'));
    processed.push(found);
    return Promise.resolve();
  });
  await send(message('a'), message('bad'), message('c'));
  await eventually(() => parked.length === 3, 'all are parked');
  broken = false;
  assert.equal(await redrive(queue, 'topic', 'g'), 3);
  await eventually(
    () => processed.length === 2 && parked.length === 4,
    'two are processed, one is parked again',
  );
  assert.deepEqual(processed.map(({ key }) => key).sort(), ['a', 'c']);
  assert.deepEqual({ ...processed[0]?.headers }, { own: 'header', redriven: '1' });
  assert.equal(await redrive(queue, 'topic', 'g'), 1);
  await eventually(() => parked.length === 5, 'it is parked again');
  assert.equal(parked[4]?.headers.redriven, '2');
  await done(queue);
});

test('with nothing parked there is nothing to put back', async t => {
  const { queue } = await setUp(t, () => Promise.resolve());
  assert.equal(await redrive(queue, 'topic', 'g'), 0);
});
