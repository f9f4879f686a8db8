import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { webSocketServer } from './web-socket-server.js';

interface Pair {
  readonly client: WebSocket;
  readonly server: WebSocket;
  /** Below `server`. */
  readonly connection: Duplex;
  /** Texts that the client got. */
  readonly received: string[];
}

async function connected(t: TestContext): Promise<Pair> {
  let connection: Duplex | undefined;
  const Sockets = webSocketServer((_client, below) => (connection = below));
  const sockets = new Sockets({ noServer: true });
  const listening = http.createServer().listen(0, '127.0.0.1');
  t.after(() => listening.close());
  await once(listening, 'listening');
  const accepted = new Promise<WebSocket>(resolve => {
    listening.on('upgrade', (req, socket, head) => sockets.handleUpgrade(req, socket, head, resolve));
  });
  const client = new WebSocket(`ws://127.0.0.1:${(listening.address() as AddressInfo).port}`);
  t.after(() => client.terminate());
  const received: string[] = [];
  client.on('message', data => received.push((data as Buffer).toString()));
  const server = await accepted;
  assert.ok(connection);
  return { client, server, connection, received };
}

/** As engine.io sends. */
function send({ server }: Pair, text: string): void {
  server.send(text, () => undefined);
}

for (const [what, unit] of [
  ['one byte', 'x'],
  ['two bytes', 'é'],
  ['three bytes', '試'],
] as const) {
  test(`texts of every form of frame arrive as they were sent, with ${what} per unit`, async t => {
    const pair = await connected(t);
    const lengths = [
      0, 1, 41, 42, 62, 63, 125, 126, 127, 255, 256, 21_845, 21_846, 32_767, 32_768, 65_535, 65_536,
    ];
    const texts = lengths.map(length => unit.repeat(length));
    for (const text of texts) send(pair, text);
    while (pair.received.length < texts.length) await once(pair.client, 'message');
    assert.deepEqual(pair.received, texts);
  });
}

test('what JSON cannot hold does not shift what follows it', async t => {
  const pair = await connected(t);
  for (const text of ['a\ud800', '\udc00b', 'c']) send(pair, text);
  while (pair.received.length < 3) await once(pair.client, 'message');
  assert.deepEqual(pair.received, ['a\ufffd', '\ufffdb', 'c']);
});

test('messages of one turn are written together, but no more of them than a client can begin with', async t => {
  const pair = await connected(t);
  const writes = t.mock.method(pair.connection, 'write');
  for (let n = 0; n < 20; n += 1) send(pair, `message ${n}`);
  assert.ok(writes.mock.callCount() > 0, 'the first of them are on their way');
  while (pair.received.length < 20) await once(pair.client, 'message');
  assert.ok(writes.mock.callCount() <= 5, `${writes.mock.callCount()} writes`);
});

test('what was sent before a close, or a message without a callback, is sent before it', async t => {
  const pair = await connected(t);
  const closed = once(pair.client, 'close');
  send(pair, 'a');
  pair.server.send('b');
  send(pair, 'c');
  pair.server.close(4000, 'bye');
  const [code] = (await closed) as [number];
  assert.equal(code, 4000);
  assert.deepEqual(pair.received, ['a', 'b', 'c']);
});

test('a connection that has gone within the turn is not written to', async t => {
  const pair = await connected(t);
  send(pair, 'a');
  pair.connection.destroy();
  await once(pair.client, 'close');
  send(pair, 'b');
  assert.deepEqual(pair.received, []);
});
