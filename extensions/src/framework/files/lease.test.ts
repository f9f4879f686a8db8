import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lutimes, readdir, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { acquireLease, type Lease } from './lease.js';

const MODULE = new URL('lease.js', import.meta.url).href;
const acquire = (
  file: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<Lease | undefined> => acquireLease({ file, what: 'the test', log: silentLogger(), signal });

test('one holds it, the next one gets it when it is given up', async t => {
  const file = path.join(await temporaryFolder(t), 'lease');
  const first = await acquire(file);
  const state = { got: false };
  const waiting = acquire(file).then(lease => {
    state.got = true;
    return lease;
  });
  await sleep(700);
  assert.equal(state.got, false);
  await first?.release();
  await first?.release();
  await (await waiting)?.release();
  assert.deepEqual(await readdir(path.dirname(file)), []);
});

test('a holder that asks learns at once that another one has it', async t => {
  const file = path.join(await temporaryFolder(t), 'lease');
  const lease = await acquire(file);
  await lease?.confirm();
  await rm(file);
  await symlink('1@elsewhere-0#other', file);
  await assert.rejects(async () => lease?.confirm(), /is held by another process/);
  assert.equal(lease?.lost.aborted, true);
});

test('waiting ends when it is told to', async t => {
  const file = path.join(await temporaryFolder(t), 'lease');
  const first = await acquire(file);
  const stop = new AbortController();
  const waiting = acquire(file, stop.signal);
  stop.abort();
  assert.equal(await waiting, undefined);
  await first?.release();
});

test('that of a killed process is free at once', async t => {
  const file = path.join(await temporaryFolder(t), 'lease');
  const script = `
    const { acquireLease } = await import(${JSON.stringify(MODULE)});
    await acquireLease({ file: ${JSON.stringify(file)}, what: 'x', log: console, signal: new AbortController().signal });
    console.log('held');
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const start = Date.now();
  child.kill('SIGKILL');
  const lease = await acquire(file);
  assert.ok(Date.now() - start < 10_000);
  assert.match(await readlink(file), new RegExp(`^${process.pid}@`));
  await lease?.release();
});

for (const [kind, make, touch] of [
  ['of another machine', (file: string) => symlink('1@elsewhere-0#x', file), lutimes],
  ['of an earlier version', (file: string) => writeFile(file, '{"token":"x","pid":1,"place":"y"}'), utimes],
] as const) {
  test(`one ${kind} is free when its heartbeat has stopped, and not before`, async t => {
    const file = path.join(await temporaryFolder(t), 'lease');
    await make(file);
    const stop = new AbortController();
    const waiting = acquire(file, stop.signal);
    await sleep(800);
    stop.abort();
    assert.equal(await waiting, undefined);
    const longAgo = new Date(Date.now() - 60_000);
    await touch(file, longAgo, longAgo);
    const lease = await acquire(file);
    assert.ok(lease);
    await lease.release();
    assert.deepEqual(await readdir(path.dirname(file)), []);
  });
}

test('of many that want it at once, one has it at a time', async t => {
  const file = path.join(await temporaryFolder(t), 'lease');
  await symlink('1@elsewhere-0#dead', file);
  const longAgo = new Date(Date.now() - 60_000);
  await lutimes(file, longAgo, longAgo);
  let holders = 0;
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      const lease = await acquire(file);
      assert.equal(++holders, 1);
      await sleep(5);
      holders--;
      await lease?.release();
    }),
  );
  assert.deepEqual(await readdir(path.dirname(file)), []);
});
