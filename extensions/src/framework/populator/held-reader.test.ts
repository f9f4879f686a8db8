import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { holdReader } from './held-reader.js';

test('a holder that gets no answers stops before its lease is over, not with the next look after it', async () => {
  const leaseMs = 2000;
  let asked = 0;
  let leaseOver: Promise<unknown> | undefined;
  const reader = await holdReader({
    client: {
      call: (_name, message) => {
        asked += 1;
        if (asked > 1) return new Promise<never>(() => undefined);
        // Started no later than the lease that it stands for: timers of one process keep their order.
        leaseOver = new Promise(resolve => setTimeout(resolve, leaseMs, 'over'));
        const { holder } = (message as { rpcArgs: [{ holder: string }] }).rpcArgs[0];
        return Promise.resolve({ holder, places: {} });
      },
    },
    name: 'populator',
    before: { read: () => Promise.resolve(undefined) },
    log: silentLogger(),
    signal: new AbortController().signal,
    leaseMs,
  });
  assert.ok(reader !== undefined);
  const first = await Promise.race([once(reader.lost, 'abort').then(() => 'lost'), leaseOver]);
  assert.equal(first, 'lost');
  assert.ok(asked > 1, 'it tried to renew');
  await reader.release();
});

test('a holder that asks learns at once that another populator works', async () => {
  let holder = '';
  const reader = await holdReader({
    client: {
      call: (_name, message) => {
        holder ||= (message as { rpcArgs: [{ holder: string }] }).rpcArgs[0].holder;
        return Promise.resolve({ holder, places: {} });
      },
    },
    name: 'populator',
    before: { read: () => Promise.resolve(undefined) },
    log: silentLogger(),
    signal: new AbortController().signal,
    leaseMs: 60_000,
  });
  await reader?.confirm();
  holder = 'another';
  await assert.rejects(async () => reader?.confirm(), /another populator works/);
  assert.equal(reader?.lost.aborted, true);
});
