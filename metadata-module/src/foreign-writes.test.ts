/** A volume to which CloudServer's own metadata daemon has written between two runs of the module. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type DaemonProcess, runToExit, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { closeLevel, openLevel, writeBatch } from './leveldowns/level-calls.js';
import { blockEntries, FOOTER_BYTES, handleIn, partsIn } from './leveldowns/leveldb-tables.js';
import { leveldown } from './leveldowns/leveldown-binding.js';
import type { LevelDown } from './leveldowns/plugin.js';
import { Varints } from './leveldowns/varints.js';
import { recordKey, recordValue } from './record-log/record.js';
import { BUCKET } from './testing/open-store.js';

const entry = fileURLToPath(new URL('./main.js', import.meta.url));
const envOf = (METADATA_PATH: string, more: Record<string, string> = {}): Record<string, string> => ({
  METADATA_PATH,
  METADATA_PORT: '0',
  METADATA_PROBE_PORT: '0',
  ...more,
});
const rootOf = (folder: string): string => path.join(folder, 'rootDB');
const TAKEN_OVER = /another program has written to the store .* taken over/;
/** Not a value of the module's. */
const OTHER = '{"by":"another"}';

type Operation = { type: 'put'; key: string; value: string } | { type: 'del'; key: string };
const put = (key: string, value = OTHER): Operation => ({ type: 'put', key: BUCKET.keyOf(key), value });
const del = (key: string): Operation => ({ type: 'del', key: BUCKET.keyOf(key) });
const record = (seq: number, key: string, value = OTHER): Operation => ({
  type: 'put',
  key: recordKey(seq),
  value: recordValue('bucket', { type: 'put', key, value }, '2026-11-20T12:00:00.000Z'),
});

async function call(daemon: DaemonProcess, name: string, ...rpcArgs: unknown[]): Promise<unknown> {
  const url = `http://127.0.0.1:${daemon.ports['METADATA_PORT']}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  try {
    return await client.call(name, { rpcArgs, subLevel: ['bucket'] });
  } finally {
    client.close();
  }
}

async function write(daemon: DaemonProcess, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 1)
    await call(daemon, 'put', `k${n}`, JSON.stringify({ n, pad: 'x'.repeat(1000) }), {});
}

/** A folder whose module has acknowledged the keys k0 to k19, and ended by `signal`. */
async function written(t: TestContext, signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<string> {
  const folder = await temporaryFolder(t);
  await run(t, folder, daemon => write(daemon, 0, 20), signal);
  return folder;
}

/** Resolves with what the module has printed. */
async function run(
  t: TestContext,
  folder: string,
  use: (daemon: DaemonProcess) => Promise<void> = () => Promise.resolve(),
  signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM',
): Promise<string> {
  const daemon = await startDaemon(t, { entry, env: envOf(folder) });
  await use(daemon);
  await daemon.kill(signal);
  return daemon.output();
}

/** Opens the database as another program does; without `operations` only to close it again. */
async function another(
  folder: string,
  operations: readonly Operation[] = [],
  then: (level: LevelDown) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const level = leveldown(rootOf(folder));
  await openLevel(level);
  if (operations.length > 0) await writeBatch(level, operations);
  await then(level);
  await closeLevel(level);
}

async function refused(t: TestContext, folder: string, line: RegExp): Promise<string> {
  const { code, output } = await runToExit(t, { entry, env: envOf(folder) });
  assert.equal(code, 1, output);
  assert.match(
    output,
    /^metadata-module: METADATA_ACCEPT_LOSS: the store holds less than was acknowledged: /,
  );
  assert.match(output, line);
  assert.equal(output.trimEnd().split('\n').length, 1, output);
  return output;
}

test('what another program wrote is taken over, which is said once, and what comes after it is protected as before', async t => {
  const folder = await written(t);
  // Without records, with some that leave numbers out, and over one of its own.
  await another(folder, [put('k3'), del('k4'), put('c1')]);
  await another(folder, [record(23, 'c2'), put('c2'), record(27, 'k5'), put('k5', '{"again":true}')]);
  const first = await startDaemon(t, { entry, env: envOf(folder) });
  assert.equal(first.output().split(TAKEN_OVER).length, 2, first.output());
  assert.equal(await call(first, 'get', 'k3', {}), OTHER);
  assert.equal(await call(first, 'get', 'c2', {}), OTHER);
  await assert.rejects(call(first, 'get', 'k4', {}), { type: 'ObjNotFound' });
  await write(first, 30, 5);
  await first.kill('SIGKILL');
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const)
    assert.doesNotMatch(await run(t, folder, undefined, signal), TAKEN_OVER);
  await another(folder, [put('k31')]);
  await refused(t, folder, /key "k31" of "bucket" is not what record 29 made it/);
});

test('it is taken over each time', async t => {
  const folder = await written(t);
  for (let n = 0; n < 3; n += 1) {
    await another(folder, [put(`k${n}`), put(`c${n}`)]);
    const output = await run(t, folder, daemon => write(daemon, n + 1, 1));
    assert.match(output, TAKEN_OVER);
  }
});

test('values in tables are told apart as those in the log are, whichever the other program has compacted', async t => {
  const folder = await written(t);
  for (let n = 0; n < 6; n += 1) await another(folder, [put(`k${n}`)]);
  await another(folder, [], level => leveldown.compact(level));
  await another(folder, [put('k7')]);
  assert.match(await run(t, folder), TAKEN_OVER);
});

test('a start that was refused, or killed, leaves the next one as able to tell', async t => {
  const folder = await written(t);
  await another(folder, [put('k3')]);
  const kept = await readFile(path.join(folder, 'newest-record'));
  for (let n = 0; n < 2; n += 1) await another(folder);
  assert.match(await run(t, folder, undefined, 'SIGKILL'), TAKEN_OVER);
  // As a kill before the note is written leaves it.
  await writeFile(path.join(folder, 'newest-record'), kept);
  assert.match(await run(t, folder), TAKEN_OVER);
});

test('after a crash it cannot be told, and is refused until the note is removed', async t => {
  const folder = await written(t, 'SIGKILL');
  await another(folder, [put('k3')]);
  await refused(t, folder, /key "k3" of "bucket" is not what record 4 made it/);
  await rm(path.join(folder, 'newest-record'));
  assert.doesNotMatch(await run(t, folder), /"level":[45]0/);
});

test('a note that says that the store is closed is gone before anything is acknowledged', async t => {
  const folder = await written(t);
  assert.match(await readFile(path.join(folder, 'newest-record'), 'utf8'), /"closed":/);
  await run(
    t,
    folder,
    async () => {
      assert.doesNotMatch(await readFile(path.join(folder, 'newest-record'), 'utf8'), /"closed":/);
    },
    'SIGKILL',
  );
});

test('keys of which no trace is left are refused, with what to do when the other program has deleted them', async t => {
  const folder = await written(t);
  await another(folder, [del('k4')], level => leveldown.compact(level));
  const output = await refused(t, folder, /key "k4" of "bucket" is not what record 5 made it/);
  assert.match(output, /Another program has written .* remove the file newest-record/);
  await rm(path.join(folder, 'newest-record'));
  assert.doesNotMatch(await run(t, folder), /"level":[45]0/);
});

const LOSSES: Record<string, { lose: (folder: string, backup: string) => Promise<void>; named: RegExp }> = {
  'the disk has lost the end of the log': {
    lose: async folder => {
      const log = await logOf(folder);
      await truncate(log, (await readFile(log)).length - 500);
    },
    named: /record 20, which was acknowledged, is missing/,
  },
  'the disk has damaged the log, of which LevelDB drops a part': {
    lose: async folder => {
      const log = await logOf(folder);
      const bytes = await readFile(log);
      bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
      await writeFile(log, bytes);
    },
    named: /records \d+ to \d+, which were acknowledged, are missing/,
  },
  'an older copy was brought back': {
    lose: async (folder, backup) => {
      await rm(rootOf(folder), { recursive: true });
      await cp(backup, rootOf(folder), { recursive: true });
    },
    named: /records 11 to 20, which were acknowledged, are missing/,
  },
};

async function logOf(folder: string): Promise<string> {
  const [name = ''] = (await readdir(rootOf(folder))).filter(file => file.endsWith('.log'));
  return path.join(rootOf(folder), name);
}

for (const [name, { lose, named }] of Object.entries(LOSSES)) {
  test(`${name}: it is refused, however much another program has written since`, async t => {
    const folder = await temporaryFolder(t);
    const backup = path.join(await temporaryFolder(t), 'backup');
    await run(t, folder, daemon => write(daemon, 0, 10));
    await cp(rootOf(folder), backup, { recursive: true });
    await run(t, folder, daemon => write(daemon, 10, 10));
    await lose(folder, backup);
    for (let n = 0; n < 8; n += 1) {
      await another(
        folder,
        Array.from({ length: 20 }, (_, at) => put(`c${n} ${at}`)),
      );
    }
    await another(folder, [put('k3')]);
    await refused(t, folder, named);
  });
}

test('a key that a damaged table has lost is refused, when another program has opened and compacted it since', async t => {
  const folder = await written(t);
  // The log becomes a table.
  await run(t, folder);
  const [table = ''] = (await readdir(rootOf(folder))).filter(file => file.endsWith('.ldb'));
  const bytes = await readFile(path.join(rootOf(folder), table));
  const { index } = partsIn(bytes.subarray(-FOOTER_BYTES));
  const stored = bytes.subarray(index.offset, index.offset + index.size + 1);
  const blocks = Array.from(blockEntries(stored), ({ value }) => handleIn(new Varints(value)));
  const last = blocks.at(-1) ?? index;
  // As a disk leaves it that has written the table but for this. LevelDB takes such a block for one without entries.
  bytes.fill(0, last.offset, last.offset + last.size + 1);
  await writeFile(path.join(rootOf(folder), table), bytes);
  await another(folder, [put('c1')], level => leveldown.compact(level));
  const output = await refused(t, folder, /key "k9" of "bucket" is not what record 10 made it/);
  // Nobody can tell that from a deletion.
  assert.match(output, /remove the file newest-record/);
});

test('an older copy to which another program gave the same numbers is refused', async t => {
  const folder = await temporaryFolder(t);
  const backup = path.join(await temporaryFolder(t), 'backup');
  await run(t, folder, daemon => write(daemon, 0, 10));
  await cp(rootOf(folder), backup, { recursive: true });
  await run(t, folder, daemon => write(daemon, 10, 10));
  await LOSSES['an older copy was brought back']?.lose(folder, backup);
  for (let n = 10; n < 30; n += 1) await another(folder, [put(`k${n}`), record(n + 1, `k${n}`)]);
  await another(folder, [put('k3')]);
  await refused(t, folder, /key "k3" of "bucket" is not what record 4 made it/);
});
