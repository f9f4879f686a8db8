import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { sleep } from '@zenko-modules/common/deadline';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { RpcClient } from './client.js';
import { startRpcServer } from './server.js';
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
