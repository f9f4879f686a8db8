/** The client of the data module against servers that do wrong: it never hangs, and says what happened. */
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, type ErrorType } from '@zenko-modules/common/errors';
import { DataClient } from './data-client.js';

const KEY = 'a'.repeat(40);
const TIMEOUT_MS = 500;

async function clientOf(t: TestContext, server: net.Server): Promise<DataClient> {
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<net.Socket>();
  server.on('connection', socket => sockets.add(socket));
  const { port } = server.address() as net.AddressInfo;
  const client = new DataClient({ host: '127.0.0.1', port, timeoutMs: TIMEOUT_MS });
  t.after(() => {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return client;
}

const put = (client: DataClient, size = 5): Promise<string> =>
  client.put(Readable.from([Buffer.alloc(size)]), size, 'test');

async function fails(work: Promise<unknown>, type: ErrorType): Promise<void> {
  await assert.rejects(work, (err: unknown) => {
    assert.ok(err instanceof CatalogueError, String(err));
    assert.equal(err.type, type, err.message);
    return true;
  });
}

test('nobody at the port is ServiceUnavailable', async () => {
  const client = new DataClient({ host: '127.0.0.1', port: 1, timeoutMs: TIMEOUT_MS });
  await fails(put(client), 'ServiceUnavailable');
  await fails(client.get(KEY, undefined, 5, 'test'), 'ServiceUnavailable');
  await fails(client.delete([KEY], 'test'), 'ServiceUnavailable');
  await fails(client.ping(), 'ServiceUnavailable');
});

test('a server that never answers, or never reads, is given up', async t => {
  const client = await clientOf(
    t,
    net.createServer(socket => socket.resume()),
  );
  await fails(put(client), 'ServiceUnavailable');
  await fails(client.get(KEY, undefined, 5, 'test'), 'ServiceUnavailable');
  const deaf = await clientOf(t, net.createServer({ pauseOnConnect: true }));
  await fails(put(deaf, 50_000_000), 'ServiceUnavailable');
});

test('a server that hangs up, or speaks another language, is ServiceUnavailable', async t => {
  const rude = await clientOf(
    t,
    net.createServer(socket => socket.destroy()),
  );
  await fails(put(rude), 'ServiceUnavailable');
  const other = await clientOf(
    t,
    net.createServer(socket => socket.end('220 smtp.example.com ESMTP\r\n')),
  );
  await fails(other.get(KEY, undefined, 5, 'test'), 'ServiceUnavailable');
});

test('errors of the catalogue keep their name, all else is InternalError', async t => {
  for (const [status, body, type] of [
    [503, '{"errorType":"SlowDown","errorMessage":"later"}', 'SlowDown'],
    [404, '{"errorType":"ObjNotFound","errorMessage":"no"}', 'ObjNotFound'],
    [500, '{"errorType":"Unheard","errorMessage":"x"}', 'InternalError'],
    [500, '{"errorType":"__proto__"}', 'InternalError'],
    [500, 'null', 'InternalError'],
    [200, 'x'.repeat(1_000_000), 'InternalError'],
    [302, '', 'InternalError'],
  ] as const) {
    const server = http.createServer((message, response) => {
      message.resume();
      response.writeHead(status, { 'content-length': body.length }).end(body);
    });
    const client = await clientOf(t, server);
    await fails(put(client), type);
    if (status !== 200) await fails(client.get(KEY, undefined, 5, 'test'), type);
  }
});

test('an error that stops after its beginning, or is cut off, is ServiceUnavailable', async t => {
  for (const isCut of [false, true]) {
    const server = http.createServer((message, response) => {
      message.resume();
      response.writeHead(500, { 'content-length': 80 }).write('{"error');
      if (isCut) setTimeout(() => response.destroy(), 50);
    });
    const client = await clientOf(t, server);
    const calls: (() => Promise<unknown>)[] = [
      () => put(client),
      () => client.get(KEY, undefined, 5, 'test'),
      () => client.delete([KEY], 'test'),
      () => client.delete([KEY, KEY], 'test'),
      () => client.ping(),
    ];
    for (const call of calls) await fails(withDeadline(call(), 10_000, 'a call'), 'ServiceUnavailable');
  }
});

test('a key that is none is not taken', async t => {
  for (const location of ['', '/DataFile/', '/DataFile/../x', '/DataFile/ABC', '/other/abc']) {
    const server = http.createServer((message, response) => {
      message.resume();
      response.writeHead(201, location === '' ? {} : { location }).end();
    });
    await fails(put(await clientOf(t, server)), 'InternalError');
  }
});

test('a blob of another size is not read, one that ends early or stops is cut off', async t => {
  const answering = (answer: (response: http.ServerResponse) => void): http.Server =>
    http.createServer((_message, response) => answer(response));
  const longer = await clientOf(
    t,
    answering(response => response.writeHead(200, { 'content-length': 6 }).end('hello!')),
  );
  await fails(longer.get(KEY, undefined, 5, 'test'), 'InternalError');
  const whole = await clientOf(
    t,
    answering(response => response.writeHead(200, { 'content-length': 5 }).end('hello')),
  );
  await fails(whole.get(KEY, { first: 0, last: 4 }, 5, 'test'), 'InternalError');
  // A small blob is read before it is passed on, a large one is passed on as it comes.
  for (const size of [5, 1_000_000]) {
    for (const stop of [true, false]) {
      const broken = await clientOf(
        t,
        answering(response => {
          response.writeHead(200, { 'content-length': size }).write('hel');
          if (!stop) setTimeout(() => response.destroy(), 50);
        }),
      );
      const parts: string[] = [];
      const reading = async (): Promise<void> => {
        for await (const part of await broken.get(KEY, undefined, size, 'test')) parts.push(part.toString());
      };
      await fails(reading(), 'ServiceUnavailable');
      assert.deepEqual(parts, size === 5 ? [] : ['hel']);
    }
  }
});

test('what a body throws is thrown, and the module gets no whole body', async t => {
  let received = 0;
  let ended = false;
  const server = http.createServer((message, response) => {
    message.on('data', (part: Buffer) => (received += part.length));
    message.on('end', () => {
      ended = true;
      response.writeHead(201, { location: `/DataFile/${KEY}` }).end();
    });
    message.on('error', () => response.destroy());
  });
  const client = await clientOf(t, server);
  async function* body(): AsyncGenerator<Buffer, void, undefined> {
    yield await Promise.resolve(Buffer.from('hel'));
    throw new RangeError('digest');
  }
  await assert.rejects(client.put(body(), 5, 'test'), RangeError);
  assert.equal(ended, false);
  assert.ok(received <= 3);
  assert.equal(await put(client), KEY);
});

test('an error that comes while a body is sent ends the sending', async t => {
  const server = http.createServer((_message, response) => {
    response.writeHead(503).end('{"errorType":"ServiceUnavailable","errorMessage":"full"}');
  });
  const client = await clientOf(t, server);
  let sent = 0;
  async function* endless(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      sent += 1;
      yield await new Promise<Buffer>(resolve => setTimeout(() => resolve(Buffer.alloc(1000)), 1));
    }
  }
  await fails(client.put(endless(), 1_000_000_000, 'test'), 'ServiceUnavailable');
  const after = sent;
  await new Promise(resolve => setTimeout(resolve, 100));
  assert.ok(sent <= after + 2, 'the body is not read on');
});

test('many blobs are deleted with one request by a module that can', async t => {
  const requests: string[] = [];
  let answer: readonly [status: number, body: string] = [204, ''];
  const server = http.createServer((message, response) => {
    const parts: Buffer[] = [];
    message.on('data', (part: Buffer) => parts.push(part));
    message.on('end', () => {
      requests.push(`${message.method} ${message.url} ${Buffer.concat(parts).toString()}`);
      response.writeHead(message.method === 'POST' ? answer[0] : 204).end(answer[1]);
    });
  });
  const client = await clientOf(t, server);
  await client.delete([], 'test');
  await client.delete(['ab', 'cd'], 'test');
  assert.deepEqual(requests.splice(0), ['POST /DataFile?delete ab\ncd']);
  await client.delete(
    Array.from({ length: 2001 }, (_, n) => n.toString(16)),
    'test',
  );
  assert.deepEqual(
    requests.splice(0).map(request => request.split('\n').length),
    [1000, 1000, 1],
  );
  for (const [status, type] of [
    [503, 'SlowDown'],
    [500, 'InternalError'],
  ] as const) {
    answer = [status, `{"errorType":"${type}","errorMessage":"x"}`];
    await fails(client.delete(['ab', 'cd'], 'test'), type);
    assert.equal(requests.splice(0).length, 1, 'it may be able to');
  }
  answer = [405, '{"errorType":"MethodNotAllowed","errorMessage":"x"}'];
  await client.delete(['ab', 'cd'], 'test');
  await client.delete(['ef', '01'], 'test');
  assert.deepEqual(requests.slice(0, 1), ['POST /DataFile?delete ab\ncd']);
  assert.deepEqual(
    requests.slice(1).sort(),
    ['ab', 'cd', 'ef', '01'].map(key => `DELETE /DataFile/${key} `).sort(),
  );
});
