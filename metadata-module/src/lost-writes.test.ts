/** A start on a store that holds less than was acknowledged: it says so, and does not go on unless it is told to. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { type DaemonProcess, runToExit, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { runCopy } from './copy/testing/stores.js';
import { closeLevel, getValue, openLevel, writeBatch } from './leveldowns/level-calls.js';
import { leveldown } from './leveldowns/leveldown-binding.js';
import { recordKey, recordValue } from './record-log/record.js';
import { BUCKET } from './testing/open-store.js';

const entry = fileURLToPath(new URL('./main.js', import.meta.url));
const envOf = (METADATA_PATH: string, METADATA_ACCEPT_LOSS = 'false'): Record<string, string> => ({
  METADATA_PATH,
  METADATA_ACCEPT_LOSS,
  METADATA_PORT: '0',
  METADATA_PROBE_PORT: '0',
});
const rootOf = (folder: string): string => path.join(folder, 'rootDB');

/** Writes `count` keys through a daemon. */
async function write(daemon: DaemonProcess, from: number, count: number): Promise<void> {
  const url = `http://127.0.0.1:${daemon.ports['METADATA_PORT']}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  for (let n = from; n < from + count; n += 1) {
    const value = JSON.stringify({ n, pad: 'x'.repeat(200) });
    await client.call('put', { rpcArgs: [`k${n}`, value, {}], subLevel: ['bucket'] });
  }
  client.close();
}

/** A folder whose module ended by `signal` when it had acknowledged 50 writes. */
async function written(t: TestContext, signal: 'SIGKILL' | 'SIGTERM'): Promise<string> {
  const folder = await temporaryFolder(t);
  const daemon = await startDaemon(t, { entry, env: envOf(folder) });
  await write(daemon, 0, 50);
  await daemon.kill(signal);
  return folder;
}

/** It must be refused with one line that matches, start when the loss is accepted, and then without a word. */
async function refusedUntilAccepted(t: TestContext, folder: string, line: RegExp): Promise<void> {
  const { code, output } = await runToExit(t, { entry, env: envOf(folder) });
  assert.equal(code, 1, output);
  assert.match(output, line);
  assert.match(
    output,
    /^metadata-module: METADATA_ACCEPT_LOSS: the store holds less than was acknowledged: /,
  );
  assert.equal(output.trimEnd().split('\n').length, 1, output);
  const accepted = await startDaemon(t, { entry, env: envOf(folder, 'true') });
  await accepted.printed(/"level":50.*the store has lost what was acknowledged, which is accepted/);
  const probe = `http://127.0.0.1:${accepted.ports['METADATA_PROBE_PORT']}/metrics`;
  assert.match(await (await fetch(probe)).text(), /^metadata_losses [1-9]/m);
  await write(accepted, 100, 3);
  assert.equal((await accepted.kill()).code, 0);
  const again = await startDaemon(t, { entry, env: envOf(folder) });
  assert.doesNotMatch(again.output(), /"level":[45]0/);
  assert.equal((await again.kill()).code, 0);
}

/** The log that holds the writes of a module that was killed. */
async function logOf(folder: string): Promise<string> {
  const [name = ''] = (await readdir(rootOf(folder))).filter(file => file.endsWith('.log'));
  return path.join(rootOf(folder), name);
}

async function flip(file: string, place: (length: number) => number): Promise<void> {
  const bytes = await readFile(file);
  const at = place(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ 4;
  await writeFile(file, bytes);
}

async function change(
  folder: string,
  operations: readonly ({ type: 'put'; key: string; value: string } | { type: 'del'; key: string })[],
): Promise<void> {
  const level = leveldown(rootOf(folder));
  await openLevel(level);
  await writeBatch(level, operations);
  await closeLevel(level);
}

test('one flipped bit in the log of LevelDB stops the start, which says where', async t => {
  const random = seededRandom(t);
  const folder = await written(t, 'SIGKILL');
  await flip(await logOf(folder), length => random.integer(0, length - 1));
  await refusedUntilAccepted(t, folder, /\d+\.log: \d+ bytes at byte \d+ are damaged/);
});

test('a refused start changes nothing, and a copy from there is refused as well', async t => {
  const folder = await written(t, 'SIGKILL');
  const log = await logOf(folder);
  await flip(log, () => 1000);
  const before = await readFile(log);
  await runToExit(t, { entry, env: envOf(folder) });
  assert.deepEqual(await readFile(log), before);
  const copied = await runCopy(t, `leveldown:${folder}`, `jsondown:${await temporaryFolder(t)}`);
  assert.equal(copied.code, 1);
  assert.match(copied.stderr, /--from: .* has lost what was acknowledged: \d+\.log: /);
});

test('a write that was cut off by a crash is no loss', async t => {
  const folder = await written(t, 'SIGKILL');
  const log = await logOf(folder);
  const bytes = await readFile(log);
  // One more write than was acknowledged, cut off.
  await writeFile(log, Buffer.concat([bytes, bytes.subarray(0, 40)]));
  const daemon = await startDaemon(t, { entry, env: envOf(folder) });
  assert.doesNotMatch(daemon.output(), /"level":[45]0/);
  await write(daemon, 50, 1);
});

test('an older copy of the database than the one that was acknowledged is noticed', async t => {
  const folder = await written(t, 'SIGTERM');
  const backup = path.join(await temporaryFolder(t), 'backup');
  await cp(rootOf(folder), backup, { recursive: true });
  const daemon = await startDaemon(t, { entry, env: envOf(folder) });
  await write(daemon, 50, 7);
  await daemon.kill('SIGTERM');
  await rm(rootOf(folder), { recursive: true });
  await cp(backup, rootOf(folder), { recursive: true });
  await refusedUntilAccepted(t, folder, /records 51 to 57, which were acknowledged, are missing/);
});

test('a number that is missing among the newest records is noticed, and a key that is not as its record says', async t => {
  const gap = await written(t, 'SIGKILL');
  await change(gap, [{ type: 'del', key: recordKey(40) }]);
  await refusedUntilAccepted(t, gap, /record 40, which was acknowledged, is missing/);
  const changed = await written(t, 'SIGKILL');
  await change(changed, [
    { type: 'put', key: BUCKET.keyOf('k7'), value: '{}' },
    { type: 'del', key: BUCKET.keyOf('k9') },
  ]);
  await refusedUntilAccepted(
    t,
    changed,
    /key "k9" of "bucket" is not what record 10 made it; key "k7" of "bucket" is not what record 8 made it/,
  );
});

test('a newest record whose key is damaged is noticed, and its number is not given again', async t => {
  const folder = await written(t, 'SIGTERM');
  const record = { type: 'put', key: 'k49', value: '{}' } as const;
  await change(folder, [
    { type: 'del', key: recordKey(50) },
    {
      type: 'put',
      key: recordKey(50).replace('!0', '!p'),
      value: recordValue('bucket', record, '2026-11-20T12:00:00.000Z'),
    },
  ]);
  await refusedUntilAccepted(t, folder, /record 50, .* is missing; the record log holds the key .*!p0+50"/);
  const level = leveldown(rootOf(folder));
  await openLevel(level);
  const stored = await Promise.all([50, 51, 52, 53, 54].map(seq => getValue(level, recordKey(seq))));
  await closeLevel(level);
  // The three that were written afterwards.
  assert.deepEqual(
    stored.map(value => value !== undefined),
    [false, true, true, true, false],
  );
});

test('a database without its CURRENT, which LevelDB would empty, is refused, and had back when that is accepted', async t => {
  const folder = await written(t, 'SIGTERM');
  await (await startDaemon(t, { entry, env: envOf(folder) })).kill('SIGTERM');
  await rm(path.join(rootOf(folder), 'CURRENT'));
  const files = await readdir(rootOf(folder));
  const { code, output } = await runToExit(t, { entry, env: envOf(folder) });
  assert.equal(code, 1, output);
  assert.match(output, /METADATA_ACCEPT_LOSS: .*: CURRENT is missing: bring back a backup/);
  assert.deepEqual(await readdir(rootOf(folder)), files);
  const daemon = await startDaemon(t, { entry, env: envOf(folder, 'true') });
  await daemon.printed(/the damaged store was made anew from what is left of it/);
  await write(daemon, 50, 1);
  assert.equal((await daemon.kill()).code, 0);
  const again = await startDaemon(t, { entry, env: envOf(folder) });
  assert.doesNotMatch(again.output(), /"level":[45]0/);
});

test('the newest records are compared in little memory, however large their values are', async t => {
  const folder = await written(t, 'SIGTERM');
  const pad = 'x'.repeat(2 ** 20);
  const large = Array.from({ length: 60 }, (_, at) => {
    const put = { type: 'put', key: `large${at}`, value: JSON.stringify({ at, pad }) } as const;
    const record = recordValue('bucket', put, '2026-11-20T12:00:00.000Z');
    return [
      { ...put, key: BUCKET.keyOf(put.key) },
      { ...put, key: recordKey(51 + at), value: record },
    ];
  });
  await change(folder, large.flat());
  const env = { ...envOf(folder), NODE_OPTIONS: '--max-old-space-size=80' };
  const daemon = await startDaemon(t, { entry, env });
  assert.doesNotMatch(daemon.output(), /"level":[45]0/);
});

test('gaps, and changes without a record, that another daemon left are none of its own', async t => {
  const folder = await temporaryFolder(t);
  const record = (seq: number, key: string): { type: 'put'; key: string; value: string } => ({
    type: 'put',
    key: recordKey(seq),
    value: recordValue('bucket', { type: 'put', key, value: '{}' }, '2026-11-20T12:00:00.000Z'),
  });
  await change(folder, [
    ...[1, 2, 4, 9].map(seq => record(seq, `c${seq}`)),
    { type: 'put', key: BUCKET.keyOf('c1'), value: '{"changed":true}' },
  ]);
  for (let start = 0; start < 3; start += 1) {
    const daemon = await startDaemon(t, { entry, env: envOf(folder) });
    assert.doesNotMatch(daemon.output(), /"level":[45]0/);
    await write(daemon, start * 2, 2);
    await daemon.kill(start === 1 ? 'SIGKILL' : 'SIGTERM');
  }
});

test('a note of another deployment, or one that cannot be read, says nothing', async t => {
  const folder = await written(t, 'SIGTERM');
  const note = path.join(folder, 'newest-record');
  const own = JSON.parse(await readFile(note, 'utf8')) as { acknowledged: number; uuid: string };
  assert.equal(own.acknowledged, 50);
  for (const text of ['', '{"format":', JSON.stringify({ ...own, uuid: 'other', acknowledged: 99 })]) {
    await writeFile(note, text);
    const daemon = await startDaemon(t, { entry, env: envOf(folder) });
    assert.equal((await daemon.kill()).code, 0);
    const kept = JSON.parse(await readFile(note, 'utf8')) as object;
    assert.deepEqual({ ...kept, closed: undefined }, { ...own, from: 50, closed: undefined });
  }
});
