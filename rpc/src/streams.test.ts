import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { connect, event, NAMESPACE, Numbers, raw, startRig, until } from './testing/rpc-rig.js';
import type { RpcStream } from './client.js';
import { StreamResult } from './service.js';

test('a stream delivers every item in order, alone and as a member of the result', async t => {
  const { client } = await startRig(t, {
    alone: () => Promise.resolve(new StreamResult(new Numbers(1000))),
    member: () => Promise.resolve({ info: 1, log: new StreamResult(new Numbers(0)) }),
  });
  const items: unknown[] = [];
  for await (const item of (await client.call('alone', { rpcArgs: [] })) as RpcStream) items.push(item);
  assert.deepEqual(
    items,
    Array.from({ length: 1000 }, (_, index) => index),
  );
  const { info, log } = (await client.call('member', { rpcArgs: [] })) as { info: number; log: RpcStream };
  assert.equal(info, 1);
  for await (const item of log) assert.fail(String(item));
});

test('the first item does not wait for the next one, and who hangs up waits for none', async t => {
  const items = {
    taken: 0,
    next: () => {
      items.taken += 1;
      if (items.taken === 1) return Promise.resolve({ done: false, value: 'first' });
      return new Promise<IteratorResult<string>>(() => undefined);
    },
    return: () => Promise.resolve({ done: true as const, value: undefined }),
  };
  const { client } = await startRig(t, { slow: () => Promise.resolve(new StreamResult(items)) });
  const stream = (await client.call('slow', { rpcArgs: [] })) as RpcStream;
  const messages = stream.messages();
  assert.deepEqual((await messages.next()).value, ['first']);
  const next = messages.next();
  setImmediate(() => stream.hangUp());
  assert.equal((await next).done, true);
});

test('at most 4 messages are on the way, and a reader that stands still stops the iterator', async t => {
  const numbers = new Numbers();
  const { socket, server } = await startRig(t, { all: () => Promise.resolve(new StreamResult(numbers)) });
  const acks: (() => void)[] = [];
  socket.on('stream-data', (_data: unknown, ack: (err: null) => void) => acks.push(() => ack(null)));
  await raw(socket, 'all', { rpcArgs: [] });
  await until(() => acks.length === 4, 'four messages');
  await sleep(50);
  const { taken } = numbers;
  assert.equal(acks.length, 4);
  assert.ok(taken <= 5 * 64 + 1, `${taken} items were taken for 4 messages`);
  await sleep(50);
  assert.equal(numbers.taken, taken);
  acks[0]?.();
  await until(() => acks.length === 5, 'one more message');
  socket.disconnect();
  await until(() => numbers.freed, 'a disconnect frees the iterator');
  assert.equal(server.openStreams, 0);
});

test('a message is bounded in bytes', async t => {
  const large = 'x'.repeat(100_000);
  const texts = Array.from({ length: 20 }, () => large);
  const { socket } = await startRig(t, {
    texts: () => Promise.resolve(new StreamResult(Readable.from(texts)[Symbol.asyncIterator]())),
  });
  const sizes: number[] = [];
  socket.on('stream-data', ({ data }: { data: string[] }, ack: (err: null) => void) => {
    sizes.push(data.join('').length);
    ack(null);
  });
  const ended = event(socket, 'stream-end');
  await raw(socket, 'texts', { rpcArgs: [] });
  await ended;
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    2_000_000,
  );
  assert.ok(Math.max(...sizes) <= 300_000, `largest message: ${Math.max(...sizes)}`);
});

test('a reader that hangs up frees the iterator at once', async t => {
  const numbers = new Numbers();
  const { client, server } = await startRig(t, { all: () => Promise.resolve(new StreamResult(numbers)) });
  for await (const item of (await client.call('all', { rpcArgs: [] })) as RpcStream) if (item === 99) break;
  await until(() => numbers.freed && server.openStreams === 0, 'the iterator is freed');
  assert.ok(numbers.taken < 1000, `${numbers.taken} items were taken for 100`);
});

test('one client cannot hang up the stream of another', async t => {
  const numbers = new Numbers();
  const { socket, url } = await startRig(t, { all: () => Promise.resolve(new StreamResult(numbers)) });
  socket.on('stream-data', () => undefined);
  const { result } = await raw(socket, 'all', { rpcArgs: [] });
  const other = connect(t, url + NAMESPACE);
  await event(other, 'connect');
  other.emit('stream-hangup', { streamId: (result as { $streamId: string }).$streamId });
  assert.equal((await raw(other, 'unknown')).err?.['type'], 'InvalidArgument');
  assert.equal(numbers.freed, false);
});

test('a stream that is never acknowledged ends with stream-error, its iterator freed', async t => {
  const numbers = new Numbers();
  const { socket, server } = await startRig(
    t,
    { all: () => Promise.resolve(new StreamResult(numbers)) },
    { ackMs: 200 },
  );
  const failed = event(socket, 'stream-error');
  const { result } = await raw(socket, 'all', { rpcArgs: [] });
  const failure = (await failed) as { streamId: string; error: { type: string } };
  assert.equal(failure.streamId, (result as { $streamId: string }).$streamId);
  assert.equal(failure.error.type, 'ServiceUnavailable');
  await until(() => numbers.freed && server.openStreams === 0, 'the iterator is freed');
});

test('a stream whose source fails or stands still ends with stream-error', async t => {
  const { client, server } = await startRig(
    t,
    {
      fails: () =>
        Promise.resolve(new StreamResult({ next: () => Promise.reject(new CatalogueError('SlowDown')) })),
      stands: () => Promise.resolve(new StreamResult({ next: () => new Promise<never>(() => undefined) })),
    },
    { stepMs: 200 },
  );
  for (const [name, type] of [
    ['fails', 'SlowDown'],
    ['stands', 'ServiceUnavailable'],
  ] as const) {
    const stream = (await client.call(name, { rpcArgs: [] })) as RpcStream;
    await assert.rejects(
      async () => {
        for await (const item of stream) assert.fail(String(item));
      },
      err => isErrorType(err, type),
    );
  }
  await until(() => server.openStreams === 0, 'no stream is open');
});
