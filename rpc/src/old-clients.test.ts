import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { startRpcServer } from './server.js';

interface OldSocket {
  on(event: string, listener: (...args: unknown[]) => void): void;
  emit(event: string, ...args: unknown[]): void;
  disconnect(): void;
}

type Connect = (url: string, options: Readonly<Record<string, unknown>>) => OldSocket;

const require = createRequire(import.meta.url);
const VERSIONS: Readonly<Record<number, Connect>> = {
  1: require('socket.io-client-1') as Connect,
  2: require('socket.io-client-2') as Connect,
};

/** Connects to a namespace whose only call answers its argument. */
async function connect(
  t: TestContext,
  version: 1 | 2,
  { transports, upgradeMs }: { transports?: string[]; upgradeMs?: number } = {},
): Promise<OldSocket> {
  const server = await startRpcServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'TEST_PORT',
    services: [{ namespace: '/test', calls: { echo: ({ args }) => Promise.resolve(args[0]) } }],
    log: silentLogger(),
    ...(upgradeMs !== undefined && { limits: { upgradeMs } }),
  });
  t.after(() => server.close());
  const options = { forceNew: true, reconnection: false, ...(transports && { transports }) };
  const socket = VERSIONS[version]?.(`http://127.0.0.1:${server.port}/test`, options);
  assert.ok(socket);
  t.after(() => socket.disconnect());
  return socket;
}

function echo(socket: OldSocket, text: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    socket.on('error', reason => reject(new Error(`refused: ${String(reason)}`)));
    socket.emit('call', 'echo', { rpcArgs: [text] }, (_err: unknown, result: unknown) => resolve(result));
  });
}

for (const version of [1, 2] as const) {
  test(`a call of socket.io-client ${version} at the moment of connecting keeps its characters`, async t => {
    const socket = await connect(t, version);
    assert.equal(await echo(socket, 'é😀'), 'é😀');
  });
}

test('socket.io-client 2 works without websocket too', async t => {
  const socket = await connect(t, 2, { transports: ['polling'], upgradeMs: 200 });
  assert.equal(await echo(socket, 'é😀'), 'é😀');
});

test('socket.io-client 1 is refused without websocket, as its characters would be lost', async t => {
  const socket = await connect(t, 1, { transports: ['polling'], upgradeMs: 200 });
  const reason = await new Promise(resolve => {
    socket.on('error', resolve);
    socket.on('connect', () => resolve('connected'));
  });
  assert.match(String(reason), /must be able to use websocket/);
});
