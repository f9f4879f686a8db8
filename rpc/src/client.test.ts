import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { sleep } from '@zenko-modules/common/deadline';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { RpcClient } from './client.js';
import { type RpcServer, startRpcServer } from './server.js';
import { until } from './testing/rpc-rig.js';

const NAMESPACE = '/test';

test('a call that waits for a module that is away ends when the client is closed', async () => {
  const client = new RpcClient({
    url: `http://127.0.0.1:${await freePort()}`,
    namespace: NAMESPACE,
    callTimeoutMs: 2000,
  });
  const call = client.call('get', { rpcArgs: [] });
  client.close();
  await assert.rejects(call, { type: 'ServiceUnavailable', message: 'get: the client was closed' });
  await assert.rejects(client.call('get', { rpcArgs: [] }), { message: 'the client is closed' });
});

/** How many timers keep this process alive. */
const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;

/** Resolves with the port of one that lets clients in, and then hears nothing. */
async function muteModule(t: TestContext): Promise<number> {
  const opened = { sid: 'a', upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1000 };
  const server = http.createServer();
  const connections = new Set<Duplex>();
  server.on('upgrade', ({ headers }, connection) => {
    connections.add(connection);
    const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    connection.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    for (const text of [`0${JSON.stringify(opened)}`, `40${NAMESPACE},{"sid":"b"}`])
      connection.write(Buffer.concat([Buffer.of(0x81, text.length), Buffer.from(text)]));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const connection of connections) connection.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('a client that is closed ends its calls at once and leaves no timer, whatever became of its module', async t => {
  const never = (): Promise<never> => new Promise(() => undefined);
  const greet = (): Promise<string> => Promise.resolve('hello');
  const startServer = (): Promise<RpcServer> =>
    startRpcServer({
      address: '127.0.0.1',
      port: 0,
      portSetting: 'METADATA_PORT',
      services: [{ namespace: NAMESPACE, calls: { greet, never } }],
      log: silentLogger(),
    });
  const server = await startServer();
  t.after(() => server.close());
  const gone = await startServer();
  t.after(() => gone.close());
  const cases: Record<string, { port: number; before?: (client: RpcClient) => Promise<void> }> = {
    'it is away': { port: await freePort() },
    'it has taken the calls': {
      port: server.port,
      before: async client => {
        await client.call('greet', { rpcArgs: [] });
      },
    },
    'it has gone': {
      port: gone.port,
      before: async client => {
        await client.call('greet', { rpcArgs: [] });
        await gone.close();
        await until(() => !client.connected, 'the client sees its module go');
      },
    },
    'it does not say that the connection is closed': {
      port: await muteModule(t),
      before: client => until(() => client.connected, 'the client is connected'),
    },
  };
  for (const [name, { port, before }] of Object.entries(cases)) {
    const earlier = timers();
    const url = `http://127.0.0.1:${port}`;
    const client = new RpcClient({ url, namespace: NAMESPACE, callTimeoutMs: 600_000 });
    await before?.(client);
    const calls = [1, 2].map(() => client.call('never', { rpcArgs: [] }));
    const ended = Promise.all(
      calls.map(call =>
        assert.rejects(call, { type: 'ServiceUnavailable', message: 'never: the client was closed' }, name),
      ),
    );
    client.close();
    client.close();
    await ended;
    // The server has some of its own until it sees that the client has gone.
    for (let looks = 0; looks < 1000 && timers() > earlier; looks += 1) await sleep(5);
    assert.equal(timers(), earlier, name);
  }
});

test('a call whose module stays away ends at its deadline', async t => {
  const client = new RpcClient({
    url: `http://127.0.0.1:${await freePort()}`,
    namespace: NAMESPACE,
    callTimeoutMs: 200,
  });
  t.after(() => client.close());
  await assert.rejects(client.call('get', { rpcArgs: [] }), {
    type: 'ServiceUnavailable',
    message: 'get: no answer within 200 ms',
  });
});

test('a call that was made while the module was away is answered when it comes', async t => {
  const port = await freePort();
  const client = new RpcClient({ url: `http://127.0.0.1:${port}`, namespace: NAMESPACE });
  t.after(() => client.close());
  const call = client.call('greet', { rpcArgs: [] });
  const server = await startRpcServer({
    address: '127.0.0.1',
    port,
    portSetting: 'METADATA_PORT',
    services: [{ namespace: NAMESPACE, calls: { greet: () => Promise.resolve('hello') } }],
    log: silentLogger(),
  });
  t.after(() => server.close());
  assert.equal(await call, 'hello');
});

test('a call that has failed is not made later, wherever its connection ended', async t => {
  const made: number[] = [];
  const server = await startRpcServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'METADATA_PORT',
    services: [
      { namespace: NAMESPACE, calls: { put: ({ args: [n] }) => Promise.resolve(made.push(Number(n))) } },
    ],
    log: silentLogger(),
  });
  t.after(() => server.close());
  const outcomes = new Map<number, string>();
  const cuts = Array.from({ length: 60 }, (_, n) => 10 * n);
  await Promise.all(
    cuts.map(async afterBytes => {
      const proxy = await startTcpProxy(t, server.port);
      proxy.arm({ harm: 'reset', afterBytes });
      const client = new RpcClient({ url: `http://127.0.0.1:${proxy.port}`, namespace: NAMESPACE });
      t.after(() => client.close());
      const outcome = await client.call('put', { rpcArgs: [afterBytes] }).then(
        () => 'made',
        () => 'failed',
      );
      const madeSoFar = made.filter(n => n === afterBytes).length;
      if (proxy.harmed() > 0) outcomes.set(afterBytes, outcome);
      // It connects again meanwhile.
      await until(() => client.connected, 'it connects again');
      await sleep(200);
      assert.equal(made.filter(n => n === afterBytes).length, madeSoFar, `after ${afterBytes} bytes`);
    }),
  );
  const seen = new Set(outcomes.values());
  assert.deepEqual(
    [...seen].sort(),
    ['failed', 'made'],
    'some were cut off before they were sent, and some after',
  );
});

test('a client knows which calls the module has that it is connected to now', async t => {
  const port = await freePort();
  const start = (names: readonly string[]) =>
    startRpcServer({
      address: '127.0.0.1',
      port,
      portSetting: 'METADATA_PORT',
      services: [
        {
          namespace: NAMESPACE,
          calls: Object.fromEntries(names.map(name => [name, () => Promise.resolve('done')])),
        },
      ],
      log: silentLogger(),
    });
  const first = await start(['get']);
  const client = new RpcClient({ url: `http://127.0.0.1:${port}`, namespace: NAMESPACE });
  t.after(() => client.close());
  assert.deepEqual(await Promise.all([client.offers('get'), client.offers('readMembers')]), [true, false]);
  await first.close();
  await until(() => !client.connected, 'the client sees its module go');
  const second = await start(['readMembers']);
  t.after(() => second.close());
  assert.deepEqual(await Promise.all([client.offers('get'), client.offers('readMembers')]), [false, true]);
});
