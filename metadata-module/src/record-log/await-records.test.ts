/** The long poll on the log, over the wire. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { RPC_LIMITS } from '@zenko-modules/rpc/limits';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { checkRecordWait } from '../services/await-records.js';
import { type WireAnswer, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';
import { RecordWaiters } from './record-waiters.js';

async function start(t: TestContext) {
  const module = await startModule(t, { DATA_DIR: await temporaryFolder(t) });
  const metadata = await WireClient.connect(t, module.metadataUrl);
  const log = await WireClient.connect(t, module.recordLogUrl);
  return {
    put: () => metadata.call('put', { rpcArgs: ['k', '{}', {}], subLevel: ['bucket'] }),
    wait: (options: object): Promise<WireAnswer> => log.call('awaitRecords', { rpcArgs: [options] }),
  };
}

test('a wait ends with the record that it is for, and at once when the record is there', async t => {
  const { put, wait } = await start(t);
  let over = false;
  const waiting = wait({ startSeq: 2 }).finally(() => (over = true));
  await put();
  await wait({ startSeq: 1 });
  assert.equal(over, false, 'record 1 is not record 2');
  await put();
  assert.deepEqual(await waiting, { err: null, result: { last: 2 } });
  assert.deepEqual(await wait({ startSeq: '1' }), { err: null, result: { last: 2 } });
});

test('a wait for nothing ends in time, and never takes longer than a call may', async t => {
  const { wait } = await start(t);
  assert.deepEqual(await wait({ startSeq: 5, timeoutMs: 0 }), { err: null, result: { last: 0 } });
  assert.deepEqual(await wait({ startSeq: 5, timeoutMs: 20 }), { err: null, result: { last: 0 } });
  for (const timeoutMs of [undefined, 3_600_000])
    assert.ok(checkRecordWait({ startSeq: 5, timeoutMs }).timeoutMs < RPC_LIMITS.callMs);
});

test('waits are bounded in number, and a client that goes gives its own free', async () => {
  const log = { last: 0 };
  const waiters = new RecordWaiters(log);
  const gone = new AbortController();
  setMaxListeners(0, gone.signal);
  const other = new AbortController();
  const wait = (signal: AbortSignal): Promise<void> =>
    waiters.wait({ startSeq: 1, timeoutMs: 60_000, signal });
  const waits = Array.from({ length: 255 }, () => wait(gone.signal));
  const kept = wait(other.signal);
  await assert.rejects(wait(other.signal), { type: 'SlowDown' });
  gone.abort();
  await Promise.all(waits);
  assert.equal(waiters.size, 1);
  await wait(gone.signal);
  await sleep(1);
  assert.equal(waiters.size, 1);
  log.last = 1;
  waiters.check();
  await kept;
  assert.equal(waiters.size, 0);
});
