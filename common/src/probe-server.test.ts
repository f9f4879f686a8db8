import assert from 'node:assert/strict';
import test from 'node:test';
import { createRegistry, startProbeServer } from './probe-server.js';

test('live, ready and metrics answer at the new and the older paths', async t => {
  const backend: { reason?: string } = {};
  const probes = await startProbeServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'DATA_PROBE_PORT',
    registry: createRegistry(),
    ready: () =>
      backend.reason === undefined ? Promise.resolve() : Promise.reject(new Error(backend.reason)),
  });
  t.after(() => probes.close());
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${probes.port}${path}`);

  for (const path of ['/_/live', '/_/health/liveness', '/_/ready', '/_/health/readiness']) {
    assert.equal((await get(path)).status, 200, path);
  }
  for (const path of ['/metrics', '/_/monitoring/metrics']) {
    assert.match(await (await get(path)).text(), /^process_cpu_user_seconds_total /m);
  }
  assert.equal((await get('/')).status, 404);

  backend.reason = 'the disk went away';
  const refused = await get('/_/ready');
  assert.equal(refused.status, 503);
  assert.deepEqual(await refused.json(), { status: 'not ready', reason: 'the disk went away' });
  assert.equal((await get('/_/live')).status, 200);
});

test('a port that is in use is refused with the name of its setting', async t => {
  const options = {
    address: '127.0.0.1',
    portSetting: 'DATA_PROBE_PORT',
    registry: createRegistry(),
    ready: () => Promise.resolve(),
  };
  const first = await startProbeServer({ ...options, port: 0 });
  t.after(() => first.close());
  await assert.rejects(startProbeServer({ ...options, port: first.port }), {
    name: 'StartError',
    message: `DATA_PROBE_PORT: port ${first.port} on 127.0.0.1 is already in use`,
  });
});
