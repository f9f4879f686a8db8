/** Requests that come one behind the other on a connection, whose client reads nothing, or goes away. */
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { generatedBytes } from '../testing/generated-bytes.js';
import { HttpStore } from '../testing/http-store.js';
import { openFilesUnder } from '../testing/open-files.js';
import { connectRaw } from '../testing/raw-http.js';
import { type StartedModule, startTestModule } from '../testing/start-module.js';

const MiB = 1024 * 1024;
const WAIT_MS = 15_000;
const UPLOAD = 'PUT /DataFile/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbytes';

async function started(
  t: TestContext,
  env = {},
): Promise<StartedModule & { volume: string; store: HttpStore }> {
  const folder = await temporaryFolder(t);
  const module = await startTestModule(t, { DATA_DIR: folder, ...env });
  const store = new HttpStore(module.port);
  t.after(() => store.close());
  return { ...module, volume: path.join(folder, 'data'), store };
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}, within ${WAIT_MS} ms`);
    await sleep(20);
  }
}

/** A connection that sends and never reads. */
async function connectDeaf(t: TestContext, port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').pause();
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await new Promise<void>(resolve => socket.once('connect', resolve));
  return socket;
}

async function inFlight({ probePort }: StartedModule): Promise<string | undefined> {
  const metrics = await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text();
  return /^data_http_requests_in_flight (\d+)$/m.exec(metrics)?.[1];
}

test('a packet of requests for a large blob opens it once, and nothing stays when the client leaves', async t => {
  const module = await started(t);
  const { port, volume, store } = module;
  const key = await store.put(generatedBytes(1, 16 * MiB), 16 * MiB);
  const socket = await connectDeaf(t, port);
  socket.write(`GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(800));
  await eventually('the first is being sent', async () => (await openFilesUnder(volume)).length > 0);
  await sleep(300);
  assert.equal((await openFilesUnder(volume)).length, 1);
  assert.equal(await inFlight(module), '1');
  socket.destroy();
  await eventually('the file is closed', async () => (await openFilesUnder(volume)).length === 0);
  await eventually('no request is under way', async () => (await inFlight(module)) === '0');
});

test('a client that sends requests without end and reads nothing is read no further', async t => {
  const { port, store } = await started(t);
  const key = await store.put(generatedBytes(1, 16 * MiB), 16 * MiB);
  const socket = await connectDeaf(t, port);
  const packet = `GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(500);
  for (let i = 0; i < 1000; i += 1) socket.write(packet);
  let left = Infinity;
  await eventually('it is read no further', async () => {
    const before = left;
    await sleep(500);
    left = socket.writableLength;
    return left === before;
  });
  assert.ok(left > 0, 'more is sent than the sockets hold');
});

test('requests of every kind are answered in their order, one after the other', async t => {
  const { port, store } = await started(t);
  const key = await store.put(generatedBytes(1, 3 * MiB), 3 * MiB);
  const connection = connectRaw(port);
  connection.write(
    [
      `GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`,
      UPLOAD,
      'GET /DataFile/abcd HTTP/1.1\r\nHost: x\r\n\r\n',
      'GET /DataFile?diskUsage HTTP/1.1\r\nHost: x\r\n\r\n',
      `HEAD /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`,
      'PUT /DataFile/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    ].join(''),
  );
  await connection.until('100 Continue\r\n\r\n');
  connection.write(`bytes${UPLOAD}DELETE /DataFile/${key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const answers = [...(await connection.closed).matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
  assert.deepEqual(answers, ['200', '201', '404', '200', '200', '100', '201', '201', '204']);
});

test('an upload that stands still behind a whole one is cut by the idle limit', async t => {
  const { port } = await started(t, { DATA_IDLE_TIMEOUT_MS: '1000' });
  const connection = connectRaw(port);
  connection.write(`${UPLOAD}PUT /DataFile/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nstart`);
  const answer = await connection.closed;
  assert.equal(answer.match(/HTTP\/1.1 201 /g)?.length, 1);
});
