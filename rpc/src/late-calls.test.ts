import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { raw, startRig } from './testing/rpc-rig.js';

const CALL_MS = 100;

test('each call of a connection has its own time, beside others that are done in time or were told before', async t => {
  const released = new AbortController();
  t.after(() => released.abort());
  const { socket } = await startRig(
    t,
    { held: () => sleep(60_000, released.signal), echo: ({ args }) => Promise.resolve(args[0]) },
    { callMs: CALL_MS },
  );
  const held = async (): Promise<number> => {
    const started = performance.now();
    const { err } = await raw(socket, 'held', { rpcArgs: [] });
    assert.equal(err?.type, 'ServiceUnavailable');
    return performance.now() - started;
  };
  const echo = async (): Promise<void> => {
    assert.equal((await raw(socket, 'echo', { rpcArgs: ['x'] })).result, 'x');
  };
  const waits = [held()];
  await sleep(CALL_MS / 2);
  await echo();
  waits.push(held(), held());
  const all = await Promise.all(waits);
  await echo();
  all.push(await held());
  released.abort();
  for (const waited of all) assert.ok(waited >= CALL_MS - 1, `${waited} ms`);
});
