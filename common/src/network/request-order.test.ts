import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { type PendingRequest, RequestOrder } from './request-order.js';

interface Seen {
  readonly begun: string[];
  readonly answers: Map<string, () => void>;
}

/** A server that answers when told to, and a client that has sent `text`; what was begun, by path. */
async function serve(t: TestContext, text: string) {
  const seen: Seen = { begun: [], answers: new Map() };
  const order = new RequestOrder(({ req, res }: PendingRequest) => {
    seen.begun.push(req.url ?? '');
    seen.answers.set(req.url ?? '', () => res.end('x'));
  });
  const server = http.createServer((req, res) => order.add({ req, res }));
  server.on('clientError', (_err, socket) => socket.destroy());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  let received = '';
  client.setEncoding('latin1').on('data', (part: string) => (received += part));
  client.on('error', () => undefined);
  await new Promise<void>(resolve => client.write(text, () => resolve()));
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise(resolve => setTimeout(resolve, 5));
  };
  return { ...seen, until, received: () => received };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: h\r\n\r\n`;

test('a request begins when the answer before it has gone', async t => {
  const { begun, answers, until, received } = await serve(t, get('/1') + get('/2') + get('/3'));
  await until(() => begun.length === 1);
  answers.get('/1')?.();
  await until(() => begun.length === 2);
  answers.get('/2')?.();
  await until(() => begun.length === 3);
  answers.get('/3')?.();
  await until(() => received().split('HTTP/1.1 200').length === 4);
  assert.deepEqual(begun, ['/1', '/2', '/3']);
});

test('what comes of a connection that has gone is not begun', () => {
  const begun: string[] = [];
  const order = new RequestOrder(({ req }) => begun.push(req.url ?? ''));
  const socket = new net.Socket();
  socket.destroy();
  const req = new http.IncomingMessage(socket);
  order.add({ req, res: new http.ServerResponse(req) });
  assert.deepEqual(begun, []);
});
