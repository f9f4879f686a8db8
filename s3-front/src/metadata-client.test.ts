import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { startRpcServer } from '@zenko-modules/rpc/server';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { MetadataClient, ModuleAwayError } from './metadata-client.js';

/** What silence an owner is followed after, by default. */
const LEASE_MS = 2500;

test('a call that is made while a stand-by takes over is answered by it, and is not made at all when none comes', async t => {
  const port = await freePort();
  const host = '127.0.0.1';
  const patient = new MetadataClient({ host, port, callTimeoutMs: 10_000 });
  t.after(() => patient.close());
  const bucket = patient.getBucket('b', 'test');
  bucket.catch(() => undefined);
  const hasty = new MetadataClient({ host, port, callTimeoutMs: 200 });
  t.after(() => hasty.close());
  await assert.rejects(hasty.getBucket('b', 'test'), ModuleAwayError);
  await sleep(LEASE_MS);
  const server = await startRpcServer({
    address: host,
    port,
    portSetting: 'METADATA_PORT',
    services: [{ namespace: METADATA_NAMESPACE, calls: { get: () => Promise.resolve('{"name":"b"}') } }],
    log: silentLogger(),
  });
  t.after(() => server.close());
  assert.deepEqual(await bucket, { name: 'b' });
});
