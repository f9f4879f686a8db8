import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { io, type Socket } from 'socket.io-client';
import { sleep } from '../deadline.js';
import { CatalogueError, isErrorType } from '../errors.js';
import { silentLogger } from '../logger.js';
import { RpcClient, RpcStream } from './client.js';
import type { RpcLimits } from './limits.js';
import { type RpcServer, startRpcServer } from './server.js';
import { type RpcHandler, StreamResult } from './service.js';

const NAMESPACE = '/test/calls';

interface Rig {
  readonly server: RpcServer;
  readonly url: string;
  readonly client: RpcClient;
  /** A bare socket in the namespace. */
  readonly socket: Socket;
}

async function start(
  t: TestContext,
  calls: Readonly<Record<string, RpcHandler>>,
  limits: Partial<RpcLimits> = { ackMs: 2000 },
): Promise<Rig> {
  const server = await startRpcServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'TEST_PORT',
    services: [{ namespace: NAMESPACE, calls }],
    log: silentLogger(),
    limits,
  });
  const url = `http://127.0.0.1:${server.port}`;
  const client = new RpcClient({ url, namespace: NAMESPACE });
  const socket = connect(t, url + NAMESPACE);
  t.after(async () => {
    client.close();
    socket.disconnect();
    await server.close();
  });
  await event(socket, 'connect');
  return { server, url, client, socket };
}

function connect(t: TestContext, url: string): Socket {
  const socket = io(url, { forceNew: true, reconnection: false });
  t.after(() => socket.disconnect());
  return socket;
}

/** The first argument of the next event of this name. */
function event(socket: Socket, name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name}`)), 5000);
    socket.once(name, (payload: unknown) => {
      clearTimeout(timer);
      resolve(payload);
    });
  });
}

interface Answer {
  readonly err: Record<string, unknown> | null;
  readonly result: unknown;
}

/** Emits `call` with just these arguments and a function for the answer. */
function raw(socket: Socket, ...args: unknown[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), 5000);
    socket.emit('call', ...args, (err: Answer['err'], result: unknown) => {
      clearTimeout(timer);
      resolve({ err, result });
    });
  });
}

/** Numbers from 0 up to `count`; tells when it was freed. */
class Numbers implements AsyncIterator<number> {
  readonly #count: number;
  taken = 0;
  freed = false;

  constructor(count = Infinity) {
    this.#count = count;
  }

  next(): Promise<IteratorResult<number, undefined>> {
    if (this.freed || this.taken >= this.#count) return Promise.resolve({ done: true, value: undefined });
    this.taken += 1;
    return Promise.resolve({ done: false, value: this.taken - 1 });
  }

  return(): Promise<IteratorResult<number, undefined>> {
    this.freed = true;
    return Promise.resolve({ done: true, value: undefined });
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    assert.ok(waited < 10_000, what);
    await sleep(5);
  }
}

const echo: RpcHandler = ({ args, subLevel, logName }) => Promise.resolve({ args, subLevel, logName });

test('a call gets its arguments, and its client the result', async t => {
  const { client } = await start(t, { echo });
  assert.deepEqual(await client.call('echo', { rpcArgs: [1, 'é😀', null], subLevel: ['b'], logName: 'l' }), {
    args: [1, 'é😀', null],
    subLevel: ['b'],
    logName: 'l',
  });
});

test('the manifest names every call but itself', async t => {
  const { socket } = await start(t, { echo, other: echo });
  assert.deepEqual((await raw(socket, 'getManifest')).result, {
    apiVersion: '1.0',
    api: [{ name: 'echo' }, { name: 'other' }],
  });
});

test('an error is sent flat, with its name as a member for old clients', async t => {
  const { socket } = await start(t, {
    fail: () => Promise.reject(new CatalogueError('ObjNotFound', 'no k')),
  });
  const { err } = await raw(socket, 'fail', { rpcArgs: [] });
  const { stack, ...rest } = err ?? {};
  assert.equal(typeof stack, 'string');
  assert.deepEqual(rest, {
    is_arsenal_error: true,
    type: 'ObjNotFound',
    message: 'ObjNotFound',
    code: 404,
    description: 'no k',
    ObjNotFound: true,
  });
});

test('what a handler throws, at once or later, is InternalError without its text', async t => {
  const { socket } = await start(t, {
    late: () => Promise.reject(new Error('secret path')),
    atOnce: () => {
      throw new TypeError('secret path');
    },
  });
  for (const name of ['late', 'atOnce']) {
    const { err } = await raw(socket, name, { rpcArgs: [] });
    assert.equal(err?.['type'], 'InternalError');
    assert.doesNotMatch(String(err['description']), /secret/);
  }
});

test('wrong calls are answered with InvalidArgument', async t => {
  const { socket } = await start(t, { echo });
  const wrong: unknown[][] = [
    [],
    [undefined],
    [null, {}],
    [{ name: 'echo' }, {}],
    [['echo'], {}],
    ['unknown', { rpcArgs: [] }],
    ['__proto__', { rpcArgs: [] }],
    ['constructor', { rpcArgs: [] }],
    ['toString', { rpcArgs: [] }],
    ['x'.repeat(100_000), {}],
    ['echo', 'text'],
    ['echo', 7],
    ['echo', []],
    ['echo', { rpcArgs: 'text' }],
    ['echo', { rpcArgs: { 0: 'a', length: 1 } }],
    ['echo', { rpcArgs: { $streamId: 'x', readable: true } }],
  ];
  for (const args of wrong) {
    const { err } = await raw(socket, ...args);
    assert.equal(err?.['type'], 'InvalidArgument', JSON.stringify(args).slice(0, 100));
    assert.ok(JSON.stringify(err).length < 5000);
  }
  assert.deepEqual((await raw(socket, 'echo')).result, { args: [] }, 'no arguments at all');
});

test('a call without a function for its answer, and events of any name, are ignored', async t => {
  const { socket, server, url } = await start(t, { echo });
  const root = connect(t, url);
  await event(root, 'connect');
  for (const target of [socket, root]) {
    target.emit('call');
    target.emit('call', 'echo', { rpcArgs: [] });
    target.emit('error', 'thrown by name');
    target.emit('error');
    target.emit('stream-hangup');
    target.emit('stream-hangup', null);
    target.emit('stream-hangup', { streamId: { toString: null } });
    target.emit('stream-data', { streamId: 'x', data: [] });
    target.emit('__proto__', 1);
  }
  assert.equal((await raw(root, 'echo', { rpcArgs: [] })).err?.['type'], 'InvalidArgument');
  assert.equal((await raw(socket, 'echo', { rpcArgs: [] })).err, null);
  assert.equal(server.openStreams, 0);
});

test('an unknown namespace is refused', async t => {
  const { url } = await start(t, { echo });
  const socket = connect(t, `${url}/MDFile/unknown`);
  const err = (await event(socket, 'connect_error')) as Error;
  assert.match(err.message, /Invalid namespace/);
});

test('a plain HTTP request to the port is answered', async t => {
  const { url } = await start(t, { echo });
  const answer = await fetch(`${url}/`);
  assert.equal(answer.status, 404);
});

test('a stream delivers every item in order, alone and as a member of the result', async t => {
  const { client } = await start(t, {
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

test('the first item does not wait for the next one', async t => {
  const items = {
    taken: 0,
    next: () => {
      items.taken += 1;
      if (items.taken === 1) return Promise.resolve({ done: false, value: 'first' });
      return new Promise<IteratorResult<string>>(() => undefined);
    },
    return: () => Promise.resolve({ done: true as const, value: undefined }),
  };
  const { client } = await start(t, { slow: () => Promise.resolve(new StreamResult(items)) });
  for await (const item of (await client.call('slow', { rpcArgs: [] })) as RpcStream) {
    assert.equal(item, 'first');
    break;
  }
});

test('at most 4 messages are on the way, and a reader that stands still stops the iterator', async t => {
  const numbers = new Numbers();
  const { socket, server } = await start(t, { all: () => Promise.resolve(new StreamResult(numbers)) });
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
  const { socket } = await start(t, {
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
  const { client, server } = await start(t, { all: () => Promise.resolve(new StreamResult(numbers)) });
  for await (const item of (await client.call('all', { rpcArgs: [] })) as RpcStream) if (item === 99) break;
  await until(() => numbers.freed && server.openStreams === 0, 'the iterator is freed');
  assert.ok(numbers.taken < 1000, `${numbers.taken} items were taken for 100`);
});

test('one client cannot hang up the stream of another', async t => {
  const numbers = new Numbers();
  const { socket, url } = await start(t, { all: () => Promise.resolve(new StreamResult(numbers)) });
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
  const { socket, server } = await start(
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
  const { client, server } = await start(
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

test('a call that takes too long is answered, and its late stream is freed', async t => {
  const numbers = new Numbers();
  let aborted = false;
  const { client } = await start(
    t,
    {
      slow: async ({ signal }) => {
        await sleep(300, undefined);
        aborted = signal.aborted;
        return new StreamResult(numbers);
      },
    },
    { callMs: 100 },
  );
  await assert.rejects(client.call('slow', { rpcArgs: [] }), err => isErrorType(err, 'ServiceUnavailable'));
  await until(() => numbers.freed, 'the iterator is freed');
  assert.equal(aborted, true);
});

test('calls and streams beyond the limits are answered with SlowDown', async t => {
  const held: (() => void)[] = [];
  const { socket, server } = await start(
    t,
    {
      hold: () => new Promise(resolve => held.push(() => resolve('done'))),
      stream: () => Promise.resolve(new StreamResult(new Numbers())),
    },
    { callsInFlight: 3, streams: 2 },
  );
  const calls = [1, 2, 3].map(() => raw(socket, 'hold', { rpcArgs: [] }));
  await until(() => held.length === 3, 'three calls');
  assert.equal((await raw(socket, 'hold', { rpcArgs: [] })).err?.['type'], 'SlowDown');
  for (const release of held) release();
  for (const call of calls) assert.equal((await call).result, 'done');

  socket.on('stream-data', () => undefined);
  for (const wanted of [null, null, 'SlowDown']) {
    const { err } = await raw(socket, 'stream', { rpcArgs: [] });
    assert.equal(err?.['type'] ?? null, wanted);
  }
  assert.equal(server.openStreams, 2);
});

test('a server that stops answers what is in flight, refuses the rest and tells its streams', async t => {
  let release: (() => void) | undefined;
  const { client, socket, server } = await start(t, {
    hold: () => new Promise(resolve => (release = () => resolve('done'))),
    stream: () => Promise.resolve(new StreamResult(new Numbers())),
  });
  socket.on('stream-data', () => undefined);
  await raw(socket, 'stream', { rpcArgs: [] });
  const failed = event(socket, 'stream-error');
  const inFlight = client.call('hold', { rpcArgs: [] });
  await until(() => release !== undefined, 'the call has begun');
  const closed = server.close();
  assert.equal((await raw(socket, 'hold', { rpcArgs: [] })).err?.['type'], 'ServiceUnavailable');
  release?.();
  assert.equal(await inFlight, 'done');
  const failure = (await failed) as { error: { type: string } };
  assert.equal(failure.error.type, 'ServiceUnavailable');
  await closed;
});

test('a port that is in use is refused with the name of its setting', async t => {
  const { server } = await start(t, { echo });
  await assert.rejects(
    startRpcServer({
      address: '127.0.0.1',
      port: server.port,
      portSetting: 'TEST_PORT',
      services: [],
      log: silentLogger(),
    }),
    /^StartError: TEST_PORT: port \d+ on 127.0.0.1 is already in use$|TEST_PORT: port/,
  );
});
