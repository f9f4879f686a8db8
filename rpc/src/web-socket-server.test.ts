import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import test from 'node:test';
import { WebSocket } from 'ws';
import { webSocketServer } from './web-socket-server.js';

test('a small message counts as gone at once while little waits, in order with large ones; a closed socket says so', async t => {
  // As when more is sent in the same turn.
  const Sockets = webSocketServer((_client, connection) => connection.cork());
  const sockets = new Sockets({ noServer: true });
  const server = http.createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const accepted = new Promise<{ socket: WebSocket; connection: Duplex }>(resolve => {
    server.on('upgrade', (req, connection, head) => {
      sockets.handleUpgrade(req, connection, head, client => {
        resolve({ socket: client, connection });
      });
    });
  });
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.after(() => client.terminate());
  const received: string[] = [];
  client.on('message', data => received.push(nameOf((data as Buffer).toString())));
  const { socket, connection } = await accepted;
  const gone: string[] = [];
  const send = (text: string): void => socket.send(text, err => gone.push(err ? err.message : nameOf(text)));

  send('a');
  send('b');
  assert.deepEqual(gone, ['a', 'b']);
  send('l'.repeat(100_000));
  send('c');
  assert.deepEqual(gone, ['a', 'b'], 'so much waits');
  connection.uncork();
  while (gone.length < 4 || received.length < 4) await once(client, 'message');
  assert.deepEqual(gone, ['a', 'b', 'l', 'c']);
  assert.deepEqual(received, gone);

  socket.terminate();
  send('d');
  await once(client, 'close');
  assert.match(gone[4] ?? '', /not open/);
});

function nameOf(text: string): string {
  return text.slice(0, 1);
}
