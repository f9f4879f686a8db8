import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { connect, event, NAMESPACE, Numbers, raw, startRig, until } from './testing/rpc-rig.js';
import { RpcClient } from './client.js';
import { startRpcServer } from './server.js';
import { type RpcHandler, StreamResult } from './service.js';

const echo: RpcHandler = ({ args, subLevel, logName }) => Promise.resolve({ args, subLevel, logName });

test('a call gets its arguments, and its client the result', async t => {
  const { client } = await startRig(t, { echo });
  assert.deepEqual(await client.call('echo', { rpcArgs: [1, 'é😀', null], subLevel: ['b'], logName: 'l' }), {
    args: [1, 'é😀', null],
    subLevel: ['b'],
    logName: 'l',
  });
});

test('the manifest names every call but itself', async t => {
  const { socket } = await startRig(t, { echo, other: echo });
  assert.deepEqual((await raw(socket, 'getManifest')).result, {
    apiVersion: '1.0',
    api: [{ name: 'echo' }, { name: 'other' }],
  });
});

test('an error is sent flat, with its name as a member for old clients', async t => {
  const { socket } = await startRig(t, {
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
  const { socket } = await startRig(t, {
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
  const { socket } = await startRig(t, { echo });
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
  const { socket, server, url } = await startRig(t, { echo });
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
  const { url } = await startRig(t, { echo });
  const socket = connect(t, `${url}/MDFile/unknown`);
  const err = (await event(socket, 'connect_error')) as Error;
  assert.match(err.message, /Invalid namespace/);
});

test('a plain HTTP request to the port is answered', async t => {
  const { url } = await startRig(t, { echo });
  const answer = await fetch(`${url}/`);
  assert.equal(answer.status, 404);
});

test('a call that takes too long is answered, and its late stream is freed', async t => {
  const numbers = new Numbers();
  let aborted = false;
  const { client } = await startRig(
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
  const { socket, server } = await startRig(
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

test('a server that stops answers what is in flight, tells its streams, and cuts each client as soon as it is done', async t => {
  let release: (() => void) | undefined;
  const { client, socket, server } = await startRig(t, {
    hold: () => new Promise(resolve => (release = () => resolve('done'))),
    stream: () => Promise.resolve(new StreamResult(new Numbers())),
  });
  socket.on('stream-data', () => undefined);
  await raw(socket, 'stream', { rpcArgs: [] });
  await until(() => socket.io.engine.transport.name === 'websocket', 'it has moved on to websocket');
  const failed = event(socket, 'stream-error');
  const inFlight = client.call('hold', { rpcArgs: [] });
  await until(() => release !== undefined, 'the call has begun');
  const gone = event(socket, 'disconnect');
  const closed = server.close();
  const failure = (await failed) as { error: { type: string } };
  assert.equal(failure.error.type, 'ServiceUnavailable');
  // Clients connect again by themselves after this, and not after others.
  assert.equal(await gone, 'transport close');
  // It comes while an answer is owed: who was refused at once would have made its last try too early.
  const late = client.call('hold', { rpcArgs: [] });
  const answers: string[] = [];
  late.catch(() => answers.push('late'));
  void inFlight.then(() => answers.push('in flight'));
  release?.();
  assert.equal(await inFlight, 'done');
  await assert.rejects(late, { type: 'ServiceUnavailable', message: /connection was lost/ });
  assert.deepEqual(answers, ['in flight', 'late']);
  await closed;
});

test('a port that is in use is refused with the name of its setting', async t => {
  const { server } = await startRig(t, { echo });
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

test('a client that does not read its answers is cut off, and the others go on', async t => {
  const large = 'x'.repeat(1024 * 1024);
  const { socket, url } = await startRig(
    t,
    { large: () => Promise.resolve(large), echo },
    { unreadBytes: 8 * 1024 * 1024 },
  );
  assert.equal((await raw(socket, 'large', { rpcArgs: [] })).result, large);
  const deaf = connect(t, url + NAMESPACE);
  await event(deaf, 'connect');
  await raw(deaf, 'echo', { rpcArgs: [] });
  await until(() => deaf.io.engine.transport.name === 'websocket', 'it is on websocket');
  const ws = Reflect.get(deaf.io.engine.transport, 'ws') as { pause(): void; resume(): void };
  ws.pause();
  const gone = event(deaf, 'disconnect');
  for (let n = 0; n < 200; n += 1) deaf.emit('call', 'large', { rpcArgs: [] }, () => undefined);
  await raw(socket, 'echo', { rpcArgs: [] });
  await sleep(500);
  ws.resume();
  await gone;
  assert.equal((await raw(socket, 'large', { rpcArgs: [] })).result, large);
});

test('more than may be held for calls is answered with SlowDown, until they are over', async t => {
  const held: (() => void)[] = [];
  const { socket, url } = await startRig(
    t,
    { hold: () => new Promise(resolve => held.push(() => resolve('done'))), echo },
    { callBytes: 20_000, callMs: 100 },
  );
  const leaving = connect(t, url + NAMESPACE);
  await event(leaving, 'connect');
  leaving.emit('call', 'hold', { rpcArgs: ['x'.repeat(9000)] }, () => undefined);
  await until(() => held.length === 1, 'the call has begun');
  leaving.disconnect();
  const wide = { rpcArgs: Array.from({ length: 200 }, () => ({})) };
  const deep = { rpcArgs: [], other: { a: [{ b: 'x'.repeat(5000) }] } };
  const nested = { rpcArgs: [JSON.parse('['.repeat(300) + ']'.repeat(300))] };
  for (const args of [wide, deep, nested]) {
    assert.equal((await raw(socket, 'echo', args)).err?.type, 'SlowDown');
  }
  const late = await raw(socket, 'hold', { rpcArgs: [] });
  assert.equal(late.err?.type, 'ServiceUnavailable', 'it took too long, and is still held');
  assert.equal((await raw(socket, 'echo', { rpcArgs: [] })).err?.type, 'SlowDown');
  for (const release of held) release();
  assert.equal((await raw(socket, 'echo', deep)).err, null);
});

test('a message of very many values, or of binary ones, ends its own connection only', async t => {
  const { socket, url } = await startRig(t, { echo });
  const largest = { rpcArgs: Array.from({ length: 99_000 }, () => 1) };
  assert.equal((await raw(socket, 'echo', largest)).err, null);
  for (const argument of [Array.from({ length: 101_000 }, () => ({})), Buffer.from('binary')]) {
    const greedy = connect(t, url + NAMESPACE);
    await event(greedy, 'connect');
    const gone = event(greedy, 'disconnect');
    greedy.emit('call', 'echo', { rpcArgs: [argument] }, () => assert.fail('it was answered'));
    await gone;
  }
  assert.equal((await raw(socket, 'echo', { rpcArgs: [] })).err, null);
});

test('a client tells that it does not read a stream which it does not know', async t => {
  const numbers = new Numbers();
  let release: (() => void) | undefined;
  const { server, url } = await startRig(t, {
    late: () => new Promise(resolve => (release = () => resolve(new StreamResult(numbers)))),
  });
  const client = new RpcClient({ url, namespace: NAMESPACE, callTimeoutMs: 1500 });
  t.after(() => client.close());
  await until(() => client.connected, 'the client is connected');
  await assert.rejects(client.call('late', { rpcArgs: [] }), err => isErrorType(err, 'ServiceUnavailable'));
  release?.();
  await until(() => numbers.freed && server.openStreams === 0, 'the stream is hung up');
});

test('a connection that is made while the server stops gets no call answered', async t => {
  let release: (() => void) | undefined;
  const { socket, server, url } = await startRig(t, {
    hold: () => new Promise(resolve => (release = () => resolve('done'))),
    echo,
  });
  const held = raw(socket, 'hold', { rpcArgs: [] });
  await until(() => release !== undefined, 'the call has begun');
  const closed = server.close();
  const late = connect(t, url + NAMESPACE);
  await event(late, 'connect');
  assert.equal((await raw(late, 'echo', { rpcArgs: [] })).err?.type, 'ServiceUnavailable');
  release?.();
  assert.equal((await held).result, 'done');
  await closed;
});

test('a call that waits for something is told when its client goes, and when the server stops', async t => {
  const state = { waiting: 0 };
  const { server, url, socket } = await startRig(t, {
    wait: ({ gone }) =>
      new Promise<void>(resolve => {
        state.waiting += 1;
        gone.addEventListener('abort', () => {
          state.waiting -= 1;
          resolve();
        });
      }),
  });
  const other = connect(t, url + NAMESPACE);
  await event(other, 'connect');
  for (const client of [socket, other]) client.emit('call', 'wait', { rpcArgs: [] }, () => undefined);
  await until(() => state.waiting === 2, 'both wait');
  other.disconnect();
  await until(() => state.waiting === 1, 'the one that went waits no more');
  await server.close();
  assert.equal(state.waiting, 0);
});
