import assert from 'node:assert/strict';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createRegistry, startProbeServer } from './probe-server.js';
import { runToExit } from './testing/daemon-process.js';
import { freePort } from './testing/test-server.js';

const ENTRY = fileURLToPath(new URL('healthcheck.js', import.meta.url));

async function probes(t: TestContext, ready: () => Promise<void>): Promise<string> {
  const server = await startProbeServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'A_PROBE_PORT',
    registry: createRegistry(),
    ready,
  });
  t.after(() => server.close());
  return String(server.port);
}

test('a part that is ready is healthy', async t => {
  const env = { LISTEN_ADDRESS: '0.0.0.0', A_PROBE_PORT: await probes(t, () => Promise.resolve()) };
  assert.deepEqual(await runToExit(t, { entry: ENTRY, args: ['A_PROBE_PORT'], env }), {
    code: 0,
    signal: null,
    output: '',
  });
});

test('of the programs of one image, the one that runs decides', async t => {
  const env = {
    A_PROBE_PORT: String(await freePort()),
    B_PROBE_PORT: await probes(t, () => Promise.resolve()),
  };
  const { code } = await runToExit(t, { entry: ENTRY, args: ['A_PROBE_PORT', 'B_PROBE_PORT'], env });
  assert.equal(code, 0);
});

test('a part that is not ready is unhealthy, with its reason', async t => {
  const env = { A_PROBE_PORT: await probes(t, () => Promise.reject(new Error('the disk is away'))) };
  const { code, output } = await runToExit(t, { entry: ENTRY, args: ['A_PROBE_PORT'], env });
  assert.equal(code, 1);
  assert.match(output, /answered 503: .*the disk is away/);
});

test('a part that does not listen is unhealthy', async t => {
  const env = { A_PROBE_PORT: String(await freePort()) };
  const { code, output } = await runToExit(t, { entry: ENTRY, args: ['A_PROBE_PORT'], env });
  assert.equal(code, 1);
  assert.match(output, /ECONNREFUSED/);
});

test('a part that accepts and never answers is unhealthy', async t => {
  const server = net.createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const env = { A_PROBE_PORT: String(port) };
  const { code, output } = await runToExit(t, { entry: ENTRY, args: ['A_PROBE_PORT'], env });
  assert.equal(code, 1);
  assert.match(output, /did not answer within/);
});

test('a health check without a port to ask, or with a wrong one, is unhealthy', async t => {
  const none = await runToExit(t, { entry: ENTRY });
  assert.equal(none.code, 1);
  assert.match(none.output, /name the setting/);
  const wrong = await runToExit(t, { entry: ENTRY, args: ['A_PROBE_PORT'], env: { A_PROBE_PORT: 'x' } });
  assert.equal(wrong.code, 1);
  assert.match(wrong.output, /A_PROBE_PORT: "x" is not accepted/);
});
