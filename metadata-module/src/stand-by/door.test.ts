import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { listen } from '@zenko-modules/common/listen';
import { silentLogger } from '@zenko-modules/common/logger';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { Door, type DoorOptions } from './door.js';

async function openDoor(t: TestContext, options: Partial<DoorOptions> = {}): Promise<Door> {
  const door = await Door.open({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'METADATA_PORT',
    log: silentLogger(),
    ...options,
  });
  t.after(() => {
    door.shut();
    door.hold();
    door.cut();
  });
  return door;
}

/** An owner: it answers each byte with its name, and counts who is connected. */
async function startOwner(t: TestContext, name: string): Promise<{ address: string; open: () => number }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    socket.on('data', data => socket.write(name.repeat(data.length))).once('end', () => socket.end());
  });
  const port = await listen(server, 'port', 0, '127.0.0.1');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: `127.0.0.1:${port}`, open: () => sockets.size };
}

async function visit(t: TestContext, door: Door): Promise<net.Socket> {
  const socket = net.connect({ port: door.port, host: '127.0.0.1' });
  socket.on('error', () => socket.destroy());
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

async function answerOf(socket: net.Socket): Promise<string> {
  const [data] = (await once(socket, 'data')) as [Buffer];
  return data.toString();
}

const ended = (socket: net.Socket): Promise<unknown> =>
  socket.destroyed ? Promise.resolve() : once(socket.resume(), 'close');

test('who comes while nobody serves is held with what was sent, and served as soon as there is an owner', async t => {
  const door = await openDoor(t);
  const visitor = await visit(t, door);
  visitor.write('x');
  const answer = answerOf(visitor);
  while (door.waiting === 0) await new Promise(setImmediate);
  door.passTo({ id: 'a', ...(await startOwner(t, 'A')) });
  assert.equal(await answer, 'A');
});

test('who is held for too long is closed', async t => {
  const door = await openDoor(t, { holdMs: 50 });
  const visitor = await visit(t, door);
  await ended(visitor);
  assert.equal(door.waiting, 0);
});

test('an owner that refuses connections is tried again, until it is another one', async t => {
  const door = await openDoor(t);
  door.passTo({ id: 'a', address: `127.0.0.1:${await freePort()}` });
  const visitor = await visit(t, door);
  visitor.write('x');
  const answer = answerOf(visitor);
  while (door.waiting === 0) await new Promise(setImmediate);
  door.passTo({ id: 'b', ...(await startOwner(t, 'B')) });
  assert.equal(await answer, 'B');
});

test('connections to an owner end with it, on both sides, and not when it is seen again', async t => {
  const door = await openDoor(t);
  const [first, second] = [await startOwner(t, 'A'), await startOwner(t, 'B')];
  door.passTo({ id: 'a', ...first });
  const visitor = await visit(t, door);
  visitor.write('x');
  assert.equal(await answerOf(visitor), 'A');
  door.passTo({ id: 'a', ...first });
  visitor.write('x');
  assert.equal(await answerOf(visitor), 'A');
  door.passTo({ id: 'b', ...second });
  await ended(visitor);
  while (first.open() > 0) await new Promise(setImmediate);
  const again = await visit(t, door);
  again.write('x');
  assert.equal(await answerOf(again), 'B');
  door.hold();
  await ended(again);
  while (second.open() > 0) await new Promise(setImmediate);
});

test('half of a connection may end before the other, and either end may break', async t => {
  const door = await openDoor(t);
  const owner = await startOwner(t, 'A');
  door.passTo({ id: 'a', ...owner });
  const polite = await visit(t, door);
  polite.end('xyz');
  let answer = '';
  for await (const data of polite) answer += String(data);
  assert.equal(answer, 'AAA');
  const rude = await visit(t, door);
  rude.write('x');
  await answerOf(rude);
  rude.resetAndDestroy();
  while (owner.open() > 0 || door.passedOn > 0) await new Promise(setImmediate);
});

test('a reader that does not read holds its owner up, and the bytes come whole and in order', async t => {
  const door = await openDoor(t);
  const size = 32 * 1024 * 1024;
  const piece = Buffer.from(Array.from({ length: 65_536 }, (_, index) => index % 251));
  let sent = 0;
  const server = net.createServer(socket => {
    const send = (): void => {
      while (sent < size) {
        sent += piece.length;
        if (!socket.write(piece)) {
          socket.once('drain', send);
          return;
        }
      }
      socket.end();
    };
    send();
  });
  const port = await listen(server, 'port', 0, '127.0.0.1');
  t.after(() => server.close());
  door.passTo({ id: 'a', address: `127.0.0.1:${port}` });
  const visitor = await visit(t, door);
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise(resolve => setTimeout(resolve, 200));
  }
  assert.ok(sent < size / 2, `${sent} bytes went to a reader that reads nothing`);
  let received = 0;
  for await (const data of visitor as AsyncIterable<Buffer>) {
    for (let at = 0; at < data.length; at += 4099)
      assert.equal(data[at], piece[(received + at) % piece.length]);
    received += data.length;
  }
  assert.equal(received, size);
});

test('more connections than there may be are closed as they come', async t => {
  const door = await openDoor(t, { maxConnections: 2 });
  const first = await visit(t, door);
  await visit(t, door);
  while (door.waiting < 2) await new Promise(setImmediate);
  await ended(await visit(t, door));
  first.destroy();
  door.passTo({ id: 'a', ...(await startOwner(t, 'A')) });
});

test('modules that advertise a name which leads to themselves end in the bound, not in an endless circle', async t => {
  const door = await openDoor(t, { maxConnections: 50 });
  door.passTo({ id: 'a', address: `127.0.0.1:${door.port}` });
  const visitor = await visit(t, door);
  visitor.write('x');
  await ended(visitor);
});

test('an HTTP server behind the door serves who was held and who comes, and is cut or left', async t => {
  const door = await openDoor(t);
  const server = http.createServer((req, res) => res.end(`at ${req.url}`));
  const get = async (): Promise<string> => (await fetch(`http://127.0.0.1:${door.port}/x`)).text();
  const held = get();
  while (door.waiting === 0) await new Promise(setImmediate);
  assert.equal(door.serve(server), door.port);
  assert.deepEqual([await held, await get()], ['at /x', 'at /x']);
  const idle = await visit(t, door);
  idle.write('GET /y HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.match(await answerOf(idle), /at \/y/);
  door.shut();
  idle.write('GET /z HTTP/1.1\r\nHost: h\r\n\r\n');
  assert.match(await answerOf(idle), /at \/z/);
  await assert.rejects(visit(t, door), { code: 'ECONNREFUSED' });
  door.cut();
  await ended(idle);
  server.close();
});
