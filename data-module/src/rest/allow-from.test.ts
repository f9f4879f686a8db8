/** ALLOW_FROM: who comes from elsewhere is closed as it comes, by whichever worker it reaches. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../testing/http-store.js';
import { startTestModule } from '../testing/start-module.js';

const REQUEST = 'GET /DataFile?diskUsage HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
const VISITS = 6;

/** All that the server sends to one that comes from `address`, until it closes. */
async function visit(t: TestContext, port: number, address: string): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: address });
  t.after(() => socket.destroy());
  let received = '';
  // What it has sent was never read: its connection may be reset.
  socket.on('error', () => socket.destroy());
  socket.on('data', data => (received += data.toString()));
  socket.write(REQUEST);
  await new Promise(resolve => socket.once('close', resolve));
  return received;
}

for (const workers of ['1', '3']) {
  test(`connections from elsewhere are closed and counted, others served, with ${workers} workers`, async t => {
    const { port, probePort } = await startTestModule(t, {
      DATA_DIR: await temporaryFolder(t),
      DATA_WORKERS: workers,
      ALLOW_FROM: '127.0.0.1,127.0.0.64/26',
    });
    for (let i = 0; i < VISITS; i += 1) {
      assert.equal(await visit(t, port, '127.0.0.2'), '');
      assert.match(await visit(t, port, '127.0.0.65'), /^HTTP\/1.1 200 /);
    }
    const store = new HttpStore(port);
    await store.put(Readable.from(['bytes']), 5);
    await store.close();
    const metrics = await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text();
    assert.match(
      metrics,
      new RegExp(`^data_connections_refused_total\\{port="DATA_PORT",reason="address"\\} ${VISITS}$`, 'm'),
    );
    // Nothing of theirs has been taken for a request.
    assert.match(
      metrics,
      new RegExp(`^data_http_requests_total\\{method="GET",status="200"\\} ${VISITS}$`, 'm'),
    );
  });
}

test('an IPv4 client of a port that listens for both families is known by its IPv4 address', async t => {
  const { port } = await startTestModule(t, {
    DATA_DIR: await temporaryFolder(t),
    LISTEN_ADDRESS: '::',
    ALLOW_FROM: '127.0.0.1',
  });
  assert.match(await visit(t, port, '127.0.0.1'), /^HTTP\/1.1 200 /);
  assert.equal(await visit(t, port, '127.0.0.2'), '');
});

test('a wrong network stops the start with its name', async t => {
  const entry = fileURLToPath(new URL('../main.js', import.meta.url));
  const { code, output } = await runToExit(t, { entry, env: { ALLOW_FROM: '10.0.0.0/8,10.0.0.0/99' } });
  assert.equal(code, 1);
  assert.match(output, /^data-module: ALLOW_FROM: .*"10\.0\.0\.0\/99" is neither an address nor a network/);
});
