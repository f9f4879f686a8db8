import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import test, { type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { connect, event, NAMESPACE, raw, type Rig, startRig, until } from './testing/rpc-rig.js';
import { UnfinishedMessages } from './unfinished-messages.js';

const KiB = 1024;
const LIMIT = 1024 * KiB;
const PIECE = 'x'.repeat(64 * KiB);

const start = (t: TestContext): Promise<Rig> =>
  startRig(t, { echo: ({ args }) => Promise.resolve(args[0]) }, { unfinishedBytes: LIMIT });

interface WebSocketClient {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
}

async function webSocket(t: TestContext, { url }: Rig, sid?: string): Promise<WebSocketClient> {
  const query = `EIO=4&transport=websocket${sid === undefined ? '' : `&sid=${sid}`}`;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?${query}`);
  t.after(() => socket.terminate());
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  socket.on('error', () => undefined); // what it was closed with says more
  await once(socket, 'open');
  return { socket, closed };
}

/** Begins a message, and never ends it. */
function begin({ socket }: WebSocketClient, pieces: number): void {
  socket.send(`42${NAMESPACE},["call","${PIECE}`, { fin: false });
  for (let n = 1; n < pieces; n += 1) socket.send(PIECE, { fin: false });
}

const cutOffs = (rig: Rig): number => rig.cutOffs.filter(reason => reason === 'unfinished messages').length;

test('clients that begin messages and never end them are cut off with a reason; who behaves is served', async t => {
  const rig = await start(t);
  const hogs = await Promise.all(Array.from({ length: 6 }, () => webSocket(t, rig)));
  const answered = async (n: number): Promise<void> => {
    const text = String(n).repeat(1000);
    assert.equal((await raw(rig.socket, 'echo', { rpcArgs: [text] })).result, text);
  };
  for (const [n, hog] of hogs.entries()) {
    begin(hog, 9);
    await answered(n);
  }
  await until(() => cutOffs(rig) >= 5, 'all but one are cut off');
  for (const { closed } of hogs.slice(0, 5)) {
    const { code, reason } = await closed;
    assert.equal(code, 1013);
    assert.match(reason, /^SlowDown: /);
  }
  for (let n = 0; n < 20; n += 1) await answered(n);
  assert.equal(rig.socket.connected, true);
  assert.equal(cutOffs(rig), 5, 'no more of them than need be');
});

test('the bodies of polling clients count, and are answered with the reason', async t => {
  const rig = await start(t);
  const post = async (): Promise<{ ended: Promise<string> }> => {
    const handshake = await (await fetch(`${rig.url}/socket.io/?EIO=4&transport=polling`)).text();
    const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
    const req = http.request(`${rig.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST' });
    t.after(() => req.destroy());
    const ended = new Promise<string>((resolve, reject) => {
      req.on('error', reject);
      req.on('response', res => {
        let text = `${res.statusCode ?? 0} `;
        res.on('data', (piece: Buffer) => (text += piece.toString()));
        res.on('error', reject);
        res.on('end', () => resolve(text));
      });
    });
    ended.catch(() => undefined);
    for (let n = 0; n < 12; n += 1) req.write(PIECE);
    return { ended };
  };
  const posts = [await post(), await post()];
  assert.match(await Promise.race(posts.map(({ ended }) => ended)), /^503 .*SlowDown: /);
  assert.equal((await raw(rig.socket, 'echo', { rpcArgs: ['still here'] })).result, 'still here');
  assert.equal(cutOffs(rig), 1);
});

test('what comes on a web socket that a client has not moved to yet counts as well', async t => {
  const rig = await start(t);
  const clients = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const handshake = await (await fetch(`${rig.url}/socket.io/?EIO=4&transport=polling`)).text();
      const { sid } = JSON.parse(handshake.slice(1)) as { sid: string };
      return webSocket(t, rig, sid);
    }),
  );
  for (const client of clients) begin(client, 9);
  const { reason } = await Promise.race(clients.map(({ closed }) => closed));
  assert.match(reason, /^SlowDown: /);
});

test('tiny pieces count with what they take in memory', async t => {
  const rig = await start(t);
  const client = await webSocket(t, rig);
  const other = await webSocket(t, rig);
  begin(client, 12);
  const tiny = Buffer.alloc(3000);
  // Each byte arrives by itself.
  const raws = Reflect.get(other.socket, '_socket') as import('node:net').Socket;
  raws.setNoDelay(true);
  raws.write(Buffer.from([0x01, 0x80 | 126, 0xff, 0xff, 0, 0, 0, 0]));
  for (const byte of tiny) {
    await new Promise(resolve => raws.write(Buffer.from([byte]), resolve));
    await new Promise(resolve => setImmediate(resolve));
    if (cutOffs(rig) > 0) break;
  }
  assert.equal(cutOffs(rig), 1);
});

test('messages that end do not count, however many and large', async t => {
  const rig = await start(t);
  const sockets = [rig.socket, connect(t, rig.url + NAMESPACE)];
  await event(sockets[1] as (typeof sockets)[0], 'connect');
  const text = 'y'.repeat(300 * KiB);
  for (let n = 0; n < 10; n += 1) {
    await Promise.all(
      sockets.map(async socket => {
        assert.equal((await raw(socket, 'echo', { rpcArgs: [text] })).result, text);
      }),
    );
  }
  assert.deepEqual(rig.cutOffs, []);
});

test('a message that announces binary parts, or connects with much to say, ends its connection', async t => {
  const rig = await start(t);
  for (const message of [
    `451-${NAMESPACE},["call",{"_placeholder":true,"num":0}]`,
    `461-${NAMESPACE},1[{"_placeholder":true,"num":0}]`,
    `40${NAMESPACE},{"token":"${'x'.repeat(64 * KiB)}"}`,
  ]) {
    const client = await webSocket(t, rig);
    if (!message.startsWith('40')) client.socket.send(`40${NAMESPACE},`);
    client.socket.send(message);
    await client.closed;
  }
});

test('those that hold most for longest are given up, until the others have room', () => {
  const all = new UnfinishedMessages(100 * KiB);
  const refused: string[] = [];
  const open = (name: string) => all.open(() => refused.push(name));
  const [large, small, late] = [open('large'), open('small'), open('late')];
  small.received(10 * KiB);
  large.received(80 * KiB);
  late.received(5 * KiB);
  assert.deepEqual(refused, []);
  late.received(15 * KiB);
  assert.deepEqual(refused, ['large']);
  large.received(90 * KiB);
  late.received(60 * KiB);
  assert.deepEqual(refused, ['large'], 'who was refused does not count');
  late.finished(80 * KiB);
  small.received(80 * KiB);
  small.end();
  open('another').received(90 * KiB);
  assert.deepEqual(refused, ['large']);
});

test('of a piece that ends a message, what begins the next one counts', () => {
  const all = new UnfinishedMessages(100 * KiB);
  let refused = 0;
  const client = all.open(() => (refused += 1));
  for (let n = 0; n < 100; n += 1) {
    client.received(60 * KiB);
    client.received(30 * KiB);
    client.finished(80 * KiB);
    assert.ok(client.bytes >= 10 * KiB && client.bytes < 11 * KiB, String(client.bytes));
    client.received(10 * KiB);
    client.finished(20 * KiB);
    assert.equal(client.bytes, 0);
  }
  assert.equal(refused, 0);
});
