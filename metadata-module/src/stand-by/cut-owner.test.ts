/** An owner that is frozen or cut from MongoDB, whose clients ask only for what it has in memory. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { mongodbMissing as skip } from '@zenko-modules/common/testing/mongodb-server';
import type { RpcClient } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { newPlace } from '../leveldowns/mongodown/testing/databases.js';
import { Module, ownerOf } from './testing/modules.js';

const LEASE = { MONGODB_LEASE_MS: '600' };
const DEADLINE_MS = 30_000;

async function startTwo(t: TestContext): Promise<{ readonly former: Module; readonly next: Module }> {
  const place = await newPlace(t);
  const former = await Module.start(t, place, LEASE);
  await ownerOf([former]);
  return { former, next: await Module.start(t, place, LEASE) };
}

const awaitRecords = (log: RpcClient, startSeq: number): Promise<unknown> =>
  log.call('awaitRecords', { rpcArgs: [{ startSeq, timeoutMs: 50 }], subLevel: [] });

test('an owner that was frozen hears by itself that it is none any more', { skip }, async t => {
  const { former, next } = await startTwo(t);
  former.signal('SIGSTOP');
  await ownerOf([next]);
  await next.client().call('put', { rpcArgs: ['key', 'value', {}], subLevel: ['bucket'] });
  former.signal('SIGCONT');
  // Nothing else is asked of it, its readiness neither: that would tell it.
  const log = former.client(RECORD_LOG_NAMESPACE);
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const seen = await awaitRecords(log, 1).catch((err: unknown) => err);
    if ((seen as { readonly last?: number }).last === 1) return;
    assert.ok(
      performance.now() < deadline,
      `it still says ${JSON.stringify(seen)}:\n${former.daemon.output()}`,
    );
  }
});

test('an owner that is cut from MongoDB tells no holder of a reader that it still is', { skip }, async t => {
  const { former } = await startTwo(t);
  const log = former.client(RECORD_LOG_NAMESPACE);
  const hold = (): Promise<unknown> =>
    log.call('holdReader', { rpcArgs: [{ reader: 'r', holder: 'one', leaseMs: 60_000 }], subLevel: [] });
  assert.deepEqual(await hold(), { holder: 'one', places: {} });
  former.proxy.standStill(true);
  await assert.rejects(hold());
  await assert.rejects(hold());
  former.proxy.standStill(false);
});
