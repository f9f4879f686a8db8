import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
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

test('a command is taken by POST, from this machine, and from no web page', async t => {
  const done: string[] = [];
  const probes = await startProbeServer({
    address: '0.0.0.0',
    port: 0,
    portSetting: 'DATA_PROBE_PORT',
    registry: createRegistry(),
    ready: () => Promise.resolve(),
    commands: {
      '/_/pause': () => void done.push('pause'),
      '/_/fail': () => Promise.reject(new Error('not now')),
    },
  });
  t.after(() => probes.close());
  const call = async (path: string, init: RequestInit = {}, host = '127.0.0.1'): Promise<number> => {
    const response = await fetch(`http://${host}:${probes.port}${path}`, { method: 'POST', ...init });
    await response.text();
    return response.status;
  };
  assert.equal(await call('/_/pause'), 200);
  assert.deepEqual(done, ['pause']);
  assert.equal(await call('/_/pause', { method: 'GET' }), 405);
  assert.equal(await call('/_/pause', { headers: { origin: 'http://somewhere.example' } }), 403);
  assert.equal(await call('/_/fail'), 500);
  assert.equal(await call('/_/toString'), 404);
  const outside = Object.values(networkInterfaces())
    .flat()
    .find(found => found && !found.internal && found.family === 'IPv4');
  if (outside) {
    assert.equal(await call('/_/pause', {}, outside.address), 403);
    assert.equal(await call('/_/ready', { method: 'GET' }, outside.address), 200);
  }
  assert.deepEqual(done, ['pause']);
});
