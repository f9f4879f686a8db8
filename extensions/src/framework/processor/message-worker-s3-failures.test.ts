/** What becomes of messages while S3 refuses, fails or is away. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { eventually } from '../../testing/eventually.js';
import type { S3State } from '../s3/ask-s3.js';
import { allDone, failWith, message, startWorker } from '../../testing/message-worker-set-up.js';

for (const [name, code, s3] of [
  ['SlowDown', undefined, 'well'],
  ['SignatureDoesNotMatch', undefined, 'credentials'],
  ['Error', 'ECONNREFUSED', 'away'],
] as const) {
  test(`${code ?? name} is waited for, however long, and not parked`, async t => {
    let attempts = 0;
    const { parked, send, queue, worker } = await startWorker(
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
    await allDone(queue);
    assert.equal(attempts, 12);
    assert.deepEqual(parked, []);
    assert.equal(worker.underWay.trouble, undefined);
  });
}

test('a message at which S3 breaks off each time is parked when others succeed meanwhile', async t => {
  const { parked, send, queue } = await startWorker(t, ({ key }) =>
    key === 'bad' ? Promise.reject(failWith('Error', { code: 'ECONNRESET' })) : Promise.resolve(),
  );
  await send(message('bad'));
  for (let i = 0; parked.length === 0 && i < 500; i++) await send(message(`good${i}`));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(parked[0]?.headers['error-kind'], 'unavailable');
  await allDone(queue);
});

test('a message at which S3 always answers 500 is parked when S3 is well, and the processor stays ready', async t => {
  const troubles = new Set<string | undefined>();
  const { parked, send, queue, worker } = await startWorker(t, () => {
    troubles.add(worker.underWay.trouble);
    return Promise.reject(failWith('InternalError', { $metadata: { httpStatusCode: 500 } }));
  });
  await send(message('lone'));
  await eventually(() => parked.length === 1, 'it is parked');
  assert.equal(parked[0]?.headers.attempts, '3');
  assert.equal(parked[0].headers['error-kind'], 'unavailable');
  await allDone(queue);
  assert.deepEqual([...troubles, worker.underWay.trouble], [undefined, undefined]);
});

test('many messages of one object at which S3 always answers 500 hold up no other object', async t => {
  const { parked, send, queue, worker, handled } = await startWorker(t, ({ key }) =>
    key === 'good'
      ? Promise.resolve()
      : Promise.reject(failWith('InternalError', { $metadata: { httpStatusCode: 500 } })),
  );
  // More than are read ahead.
  await send(...Array.from({ length: 60 }, () => message('bad')), message('good'));
  await allDone(queue);
  assert.equal(parked.length, 60);
  assert.deepEqual(
    handled.list().flatMap(({ key, what }) => (key === 'good' ? what : [])),
    ['processed'],
  );
  assert.equal(worker.underWay.trouble, undefined);
});

test('messages without a key are not taken for those of one object', async t => {
  const { parked, send, worker } = await startWorker(t, () =>
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
  const { parked, send, queue, worker } = await startWorker(t, fail500, { s3: 'failing' });
  await send(message('first'));
  await eventually(() => parked.length === 1, 'the first one is parked');
  await allDone(queue);
  assert.equal(worker.underWay.trouble, undefined);
  await send(message('second'), message('third'));
  await eventually(() => worker.underWay.trouble !== undefined, 'it is not ready');
  await sleep(100);
  assert.equal(parked.length, 1);
  broken = false;
  await allDone(queue);
  assert.equal(parked.length, 1);
  assert.equal(worker.underWay.trouble, undefined);
});

test('of a backlog at which all fails while S3 says that it is well, ten are parked and the others wait', async t => {
  let broken = true;
  const { parked, send, queue, worker } = await startWorker(t, () =>
    broken ? Promise.reject(failWith('Error', { code: 'ECONNRESET' })) : Promise.resolve(),
  );
  await send(...Array.from({ length: 40 }, (_, i) => message(`k${i}`)));
  await eventually(() => parked.length === 10, 'ten are parked');
  await eventually(() => worker.underWay.trouble !== undefined, 'it is not ready');
  await sleep(200);
  assert.equal(parked.length, 10);
  broken = false;
  await allDone(queue);
  assert.equal(parked.length, 10);
});

for (const [name, status, s3, outcome] of [
  ['403', 403, 'credentials', 'waits'],
  ['403', 403, 'away', 'waits'],
  ['403', 403, 'well', 'is parked'],
  ['NotFound', 404, 'credentials', 'waits'],
  ['NotFound', 404, 'failing', 'waits'],
  ['NotFound', 404, 'away', 'waits'],
  ['NotFound', 404, 'well', 'is done'],
] as const) {
  test(`a ${status} without a name ${outcome} when S3 says "${s3}"`, async t => {
    let state: S3State = s3;
    let attempts = 0;
    const { parked, send, queue, worker, handled } = await startWorker(
      t,
      () => {
        attempts++;
        return state === 'well' && s3 !== 'well'
          ? Promise.resolve()
          : Promise.reject(failWith(name, { $metadata: { httpStatusCode: status } }));
      },
      { s3: () => state },
    );
    await send(message('a'));
    if (outcome === 'waits') {
      await eventually(() => attempts > 6, 'it is tried often');
      assert.match(worker.underWay.trouble ?? '', /^S3: /);
      state = 'well';
    }
    await allDone(queue);
    await sleep(50);
    assert.deepEqual(
      parked.map(({ headers }) => headers['error-kind']),
      outcome === 'is parked' ? ['denied'] : [],
    );
    if (outcome === 'waits') assert.equal(handled.list()[0]?.what, 'processed');
    if (outcome === 'is done') assert.equal(attempts, 1);
  });
}

test('a message with a 404 without a name waits while S3 is away, also when others succeed meanwhile', async t => {
  let [s3, attempts]: [S3State, number] = ['away', 0];
  const { parked, send, queue } = await startWorker(
    t,
    ({ key }) => {
      if (key !== 'headed' || s3 === 'well') return Promise.resolve();
      attempts++;
      return Promise.reject(failWith('NotFound', { $metadata: { httpStatusCode: 404 } }));
    },
    { s3: () => s3 },
  );
  await send(message('headed'));
  for (let i = 0; attempts < 4 && i < 500; i++) await send(message(`good${i}`));
  assert.ok(attempts >= 4, 'it is tried again');
  s3 = 'well';
  await allDone(queue);
  assert.deepEqual(parked, []);
});

test('credentials that S3 takes elsewhere do not hold a message up for ever', async t => {
  const { parked, send } = await startWorker(t, () => Promise.reject(failWith('SignatureDoesNotMatch')));
  await send(message('a'));
  await eventually(() => parked.length === 1, 'it is parked');
});
