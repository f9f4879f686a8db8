import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { PermanentError } from '../contract/processor-errors.js';
import type { ReceivedMessage } from '../queue/queue.js';
import { eventually } from '../../testing/eventually.js';
import { redrive } from './redrive.js';
import { allDone, failWith, message, startWorker } from '../../testing/message-worker-set-up.js';

test('a message that keeps failing is parked, with the error and the count of attempts', async t => {
  let attempts = 0;
  const { parked, send, queue } = await startWorker(t, () => {
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
  await allDone(queue);
});

test('what was done of each message is told, with the object that it tells of', async t => {
  const { send, queue, handled } = await startWorker(t, ({ key }) => {
    if (key === 'own') return Promise.reject(new PermanentError('no tags are left'));
    if (key === 'gone') return Promise.reject(failWith('NoSuchKey'));
    return Promise.resolve('tagged hello=world');
  });
  const value = JSON.stringify({ type: 'put', bucket: 'b', key: 'a/ä\0v1', value: '{}', timestamp: '' });
  await send({ key: 'b/a%2F%C3%A4', value });
  await allDone(queue);
  await send(message('gone'));
  await allDone(queue);
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
  const { parked, send, queue } = await startWorker(t, () => {
    attempts++;
    return attempts < 3 ? Promise.reject(failWith('InvalidTag')) : Promise.resolve();
  });
  await send(message('a'));
  await allDone(queue);
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
    const { parked, send, queue } = await startWorker(t, () => {
      attempts++;
      return Promise.reject(failWith(name));
    });
    await send(message('a'));
    if (expected === 'parked') await eventually(() => parked.length === 1, 'it is parked');
    await allDone(queue);
    assert.equal(attempts, 1);
    assert.equal(parked.length, expected === 'parked' ? 1 : 0);
  });
}

test('a mistake in the program is parked, and the processor lives', async t => {
  const { parked, send, queue } = await startWorker(t, ({ key }) => {
    if (key === 'a') throw new TypeError('undefined is not a function');
    return Promise.resolve();
  });
  await send(message('a'), message('b'));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(parked[0]?.headers['error-name'], 'TypeError');
  await allDone(queue);
});

test('a message that is too large with what is said of its failure is told of in its place', async t => {
  const { parked, send, queue } = await startWorker(t, () =>
    Promise.reject(new PermanentError('not this one')),
  );
  const value = 'x'.repeat(16 * 1024 * 1024 - 200);
  await send({ key: 'large', value });
  await eventually(() => parked.length === 1, 'something is parked');
  await allDone(queue);
  const [found] = parked;
  assert.equal(found?.headers['error-kind'], 'too-large');
  const { messageKey, bytes, reason } = JSON.parse(found.value) as Record<string, unknown>;
  assert.deepEqual(
    { messageKey, bytes, reason },
    { messageKey: 'large', bytes: value.length, reason: 'not this one' },
  );
});

test('an attempt that never settles is told to end, given up and parked in the end; the next one goes on', async t => {
  const told: string[] = [];
  const { parked, send, queue, worker } = await startWorker(
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
  await allDone(queue);
  assert.equal(worker.underWay.trouble, undefined);
  assert.equal(worker.underWay.oldestSeconds, 0);
});

test('a stop waits for the attempt under way, and tells it to end when it takes long', async t => {
  const log: string[] = [];
  const { queue, send } = await startWorker(
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
  const { queue, send, parked } = await startWorker(t, failing, { s3: 'away' });
  await send(message('a'));
  await eventually(() => attempts.length > 0, 'it was tried');
  await queue.close();
  assert.deepEqual(parked, []);
});

test('parked messages are put back once, and those that fail again stay parked', async t => {
  let broken = true;
  const processed: ReceivedMessage[] = [];
  const { queue, send, parked } = await startWorker(t, found => {
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
  await allDone(queue);
});

test('with nothing parked there is nothing to put back', async t => {
  const { queue } = await startWorker(t, () => Promise.resolve());
  assert.equal(await redrive(queue, 'topic', 'g'), 0);
});
