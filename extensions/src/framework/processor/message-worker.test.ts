import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { LastHandled } from '@zenko-modules/common/status/handled';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { PermanentError } from '../contract/processor-errors.js';
import { createProcessorMetrics } from '../extension-metrics.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';
import type { Message, ReceivedMessage } from '../queue/queue.js';
import { eventually } from '../../testing/eventually.js';
import type { S3State } from '../s3/ask-s3.js';
import { MessageWorker } from './message-worker.js';
import { redrive } from './redrive.js';

interface Setup {
  readonly queue: EmbeddedQueue;
  readonly worker: MessageWorker;
  readonly parked: ReceivedMessage[];
  readonly handled: LastHandled;
  readonly send: (...messages: Message[]) => Promise<void>;
}

interface Options {
  /** What S3 says when it is asked. */
  readonly s3?: S3State | (() => S3State);
  readonly timeoutMs?: number;
  readonly finishMs?: number;
}

const failWith = (name: string, more: object = {}): Error =>
  Object.assign(new Error(name), { name, ...more });
const message = (key: string): Message => ({ key, value: `value of ${key}`, headers: { own: 'header' } });

/** A processor that consumes `topic` with `work`, and what gets parked. */
async function setUp(
  t: TestContext,
  work: (message: ReceivedMessage, signal: AbortSignal) => Promise<unknown>,
  { s3 = 'well', timeoutMs = 60_000, finishMs = 50 }: Options = {},
): Promise<Setup> {
  const queue = new EmbeddedQueue({
    folder: await temporaryFolder(t),
    segmentBytes: 1024 ** 2,
    log: silentLogger(),
  });
  t.after(() => queue.close());
  const handled = new LastHandled();
  const worker = new MessageWorker({
    extension: 'own',
    processor: { processEntry: work },
    queue,
    retry: { maxAttempts: 3, minPauseMs: 1, maxPauseMs: 8 },
    limits: { timeoutMs, finishMs },
    askS3: () => Promise.resolve(typeof s3 === 'string' ? s3 : s3()),
    handled,
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
  return { queue, worker, parked, handled, send: (...messages) => queue.publish('topic', messages) };
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

test('what was done of each message is told, with the object that it tells of', async t => {
  const { send, queue, handled } = await setUp(t, ({ key }) => {
    if (key === 'own') return Promise.reject(new PermanentError('no tags are left'));
    if (key === 'gone') return Promise.reject(failWith('NoSuchKey'));
    return Promise.resolve('tagged hello=world');
  });
  const value = JSON.stringify({ type: 'put', bucket: 'b', key: 'a/ä\0v1', value: '{}', timestamp: '' });
  await send({ key: 'b/a%2F%C3%A4', value });
  await done(queue);
  await send(message('gone'));
  await done(queue);
  await send(message('own'));
  await eventually(() => handled.list().length === 3, 'all is told');
  assert.deepEqual(
    handled.list().map(({ bucket, key, what }) => [bucket, key, what]),
    [
      ['', 'own', 'parked after 1 attempts: no tags are left'],
      ['', 'gone', 'nothing: it was deleted meanwhile'],
      ['b', 'a/ä', 'tagged hello=world'],
    ],
  );
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

for (const [name, code, s3] of [
  ['SlowDown', undefined, 'well'],
  ['SignatureDoesNotMatch', undefined, 'credentials'],
  ['Error', 'ECONNREFUSED', 'away'],
] as const) {
  test(`${code ?? name} is waited for, however long, and not parked`, async t => {
    let attempts = 0;
    const { parked, send, queue, worker } = await setUp(
      t,
      () => {
        attempts++;
        return attempts < 12 ? Promise.reject(failWith(name, { code })) : Promise.resolve();
      },
      { s3 },
    );
    await send(message('a'));
    await eventually(() => attempts > 6, 'it is tried often');
    if (name !== 'SlowDown') assert.match(worker.underWay.trouble ?? '', /^S3: /);
    await done(queue);
    assert.equal(attempts, 12);
    assert.deepEqual(parked, []);
    assert.equal(worker.underWay.trouble, undefined);
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

test('a message at which S3 always answers 500 is parked when S3 is well, and the processor stays ready', async t => {
  const troubles = new Set<string | undefined>();
  const { parked, send, queue, worker } = await setUp(t, () => {
    troubles.add(worker.underWay.trouble);
    return Promise.reject(failWith('InternalError', { $metadata: { httpStatusCode: 500 } }));
  });
  await send(message('lone'));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(parked[0]?.headers.attempts, '3');
  assert.equal(parked[0].headers['error-kind'], 'unavailable');
  await done(queue);
  assert.deepEqual([...troubles, worker.underWay.trouble], [undefined, undefined]);
});

test('many messages of one object at which S3 always answers 500 hold up no other object', async t => {
  const { parked, send, queue, worker, handled } = await setUp(t, ({ key }) =>
    key === 'good'
      ? Promise.resolve()
      : Promise.reject(failWith('InternalError', { $metadata: { httpStatusCode: 500 } })),
  );
  // More than are read ahead.
  await send(...Array.from({ length: 60 }, () => message('bad')), message('good'));
  await done(queue);
  assert.equal(parked.length, 60);
  assert.deepEqual(
    handled.list().flatMap(({ key, what }) => (key === 'good' ? what : [])),
    ['processed'],
  );
  assert.equal(worker.underWay.trouble, undefined);
});

test('messages without a key are not taken for those of one object', async t => {
  const { parked, send, worker } = await setUp(t, () =>
    Promise.reject(failWith('Error', { code: 'ECONNRESET' })),
  );
  await send(...Array.from({ length: 40 }, () => message('')));
  await eventually(() => worker.underWay.trouble !== undefined, 'it is not ready');
  await eventually(() => parked.length === 10, 'ten are parked');
});

test('where S3 answers 500 to everything one message is parked on trial, and the others wait', async t => {
  let broken = true;
  const fail500 = (): Promise<void> =>
    broken
      ? Promise.reject(failWith('InternalError', { $metadata: { httpStatusCode: 500 } }))
      : Promise.resolve();
  const { parked, send, queue, worker } = await setUp(t, fail500, { s3: 'failing' });
  await send(message('first'));
  await eventually(() => parked.length === 1, 'the first one is parked');
  await done(queue);
  assert.equal(worker.underWay.trouble, undefined);
  await send(message('second'), message('third'));
  await eventually(() => worker.underWay.trouble !== undefined, 'it is not ready');
  await sleep(100);
  assert.equal(parked.length, 1);
  broken = false;
  await done(queue);
  assert.equal(parked.length, 1);
  assert.equal(worker.underWay.trouble, undefined);
});

test('of a backlog at which all fails while S3 says that it is well, ten are parked and the others wait', async t => {
  let broken = true;
  const { parked, send, queue, worker } = await setUp(t, () =>
    broken ? Promise.reject(failWith('Error', { code: 'ECONNRESET' })) : Promise.resolve(),
  );
  await send(...Array.from({ length: 40 }, (_, i) => message(`k${i}`)));
  await eventually(() => parked.length === 10, 'ten are parked');
  await eventually(() => worker.underWay.trouble !== undefined, 'it is not ready');
  await sleep(200);
  assert.equal(parked.length, 10);
  broken = false;
  await done(queue);
  assert.equal(parked.length, 10);
});

for (const [s3, outcome] of [
  ['credentials', 'waits'],
  ['away', 'waits'],
  ['well', 'is parked'],
] as const) {
  test(`a 403 without a name ${outcome} when S3 says "${s3}"`, async t => {
    let state: S3State = s3;
    let attempts = 0;
    const { parked, send, queue, worker } = await setUp(
      t,
      () => {
        attempts++;
        return state === 'well' && s3 !== 'well'
          ? Promise.resolve()
          : Promise.reject(failWith('403', { $metadata: { httpStatusCode: 403 } }));
      },
      { s3: () => state },
    );
    await send(message('a'));
    if (outcome === 'waits') {
      await eventually(() => attempts > 6, 'it is tried often');
      assert.match(worker.underWay.trouble ?? '', /^S3: /);
      state = 'well';
    }
    await done(queue);
    await sleep(50);
    assert.deepEqual(
      parked.map(({ headers }) => headers['error-kind']),
      outcome === 'waits' ? [] : ['denied'],
    );
  });
}

test('a message that is too large with what is said of its failure is told of in its place', async t => {
  const { parked, send, queue } = await setUp(t, () => Promise.reject(new PermanentError('not this one')));
  const value = 'x'.repeat(16 * 1024 * 1024 - 200);
  await send({ key: 'large', value });
  await eventually(() => parked.length === 1, 'something is parked');
  await done(queue);
  const [found] = parked;
  assert.equal(found?.headers['error-kind'], 'too-large');
  const { messageKey, bytes, reason } = JSON.parse(found.value) as Record<string, unknown>;
  assert.deepEqual(
    { messageKey, bytes, reason },
    { messageKey: 'large', bytes: value.length, reason: 'not this one' },
  );
});

test('credentials that S3 takes elsewhere do not hold a message up for ever', async t => {
  const { parked, send } = await setUp(t, () => Promise.reject(failWith('SignatureDoesNotMatch')));
  await send(message('a'));
  await eventually(() => parked.length === 1, 'it is parked');
});

test('an attempt that never settles is told to end, given up and parked in the end; the next one goes on', async t => {
  const told: string[] = [];
  const { parked, send, queue, worker } = await setUp(
    t,
    ({ key }, signal) => {
      if (key !== 'hang') return Promise.resolve();
      signal.addEventListener('abort', () => told.push((signal.reason as Error).name));
      return new Promise(() => undefined);
    },
    { timeoutMs: 100 },
  );
  await send(message('hang'), message('other'), message('hang'));
  await eventually(() => worker.underWay.trouble !== undefined, 'it is not ready');
  assert.match(worker.underWay.trouble ?? '', /took longer than 100 ms/);
  assert.ok(worker.underWay.oldestSeconds >= 0.1);
  assert.equal(worker.underWay.list()[0]?.key, 'hang');
  await eventually(() => parked.length === 2, 'both are parked');
  assert.equal(parked[0]?.headers['error-kind'], 'timeout');
  assert.deepEqual(told, Array(6).fill('AttemptTimeoutError'));
  await done(queue);
  assert.equal(worker.underWay.trouble, undefined);
  assert.equal(worker.underWay.oldestSeconds, 0);
});

test('a stop waits for the attempt under way, and tells it to end when it takes long', async t => {
  const log: string[] = [];
  const { queue, send } = await setUp(
    t,
    async ({ key }, signal) => {
      log.push(`begin ${key}`);
      if (key === 'long') {
        await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
        log.push('told');
        await sleep(50);
        log.push('end long');
        throw new Error('left');
      }
      await sleep(200);
      log.push(`end ${key} ${signal.aborted}`);
    },
    { finishMs: 400 },
  );
  await send(message('short'), message('long'), message('short'));
  await eventually(() => log.length === 2, 'both are under way');
  await queue.close();
  log.push('closed');
  assert.deepEqual(log, ['begin short', 'begin long', 'end short false', 'told', 'end long', 'closed']);
});

test('a stop leaves what is waiting for another attempt, and it comes again', async t => {
  const attempts: string[] = [];
  const failing = ({ value }: ReceivedMessage): Promise<void> => {
    attempts.push(value);
    return Promise.reject(failWith('Error', { code: 'ECONNREFUSED' }));
  };
  const { queue, send, parked } = await setUp(t, failing, { s3: 'away' });
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
