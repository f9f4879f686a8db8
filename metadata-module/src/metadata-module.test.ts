import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { type DaemonProcess, runToExit, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { isErrorType } from '@zenko-modules/common/errors';

const ENTRY = fileURLToPath(new URL('./main.js', import.meta.url));
const OUTSIDE = fileURLToPath(new URL('./testing/outside/', import.meta.url));
const PORTS = { METADATA_PORT: '0', METADATA_PROBE_PORT: '0' };

type Env = Readonly<Record<string, string>>;

function start(t: TestContext, env: Env): Promise<DaemonProcess> {
  return startDaemon(t, { entry: ENTRY, env: { ...PORTS, ...env } });
}

function clientOf(t: TestContext, daemon: DaemonProcess): RpcClient {
  const url = `http://127.0.0.1:${daemon.ports['METADATA_PORT']}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  t.after(() => client.close());
  return client;
}

/** The daemon must end with 1 and one line that matches. */
async function refused(t: TestContext, env: Env, line: RegExp): Promise<void> {
  const { code, output } = await runToExit(t, { entry: ENTRY, env: { ...PORTS, ...env } });
  assert.equal(code, 1, output);
  assert.match(output, line);
  assert.equal(output.trimEnd().split('\n').length, 1, `one line: ${output}`);
}

test('what was stored is found by the next start, in a folder that the default makes', async t => {
  const DATA_DIR = await temporaryFolder(t);
  for (const expected of [undefined, '{"n":1}']) {
    const daemon = await start(t, { DATA_DIR });
    const client = clientOf(t, daemon);
    const got = client.call('get', { rpcArgs: ['k', {}], subLevel: ['b'] });
    if (expected === undefined) await assert.rejects(got, err => isErrorType(err, 'ObjNotFound'));
    else assert.equal(await got, expected);
    await client.call('put', { rpcArgs: ['k', '{"n":1}', {}], subLevel: ['b'] });
    client.close();
    assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null }, daemon.output());
  }
  assert.deepEqual((await readdir(path.join(DATA_DIR, 'metadata'))).sort(), [
    'newest-record',
    'rootDB',
    'uuid',
  ]);
});

test('health and metrics are answered on the probe port', async t => {
  const daemon = await start(t, { DATA_DIR: await temporaryFolder(t) });
  const probe = `http://127.0.0.1:${daemon.ports['METADATA_PROBE_PORT']}`;
  for (const page of ['/_/live', '/_/ready']) assert.equal((await fetch(probe + page)).status, 200);
  const client = clientOf(t, daemon);
  await client.call('put', { rpcArgs: ['k', '{}', {}], subLevel: ['b'] });
  const metrics = await (await fetch(`${probe}/metrics`)).text();
  assert.match(metrics, /metadata_calls_total\{namespace="\/MDFile\/metadata",call="put",outcome="ok"\} 1/);
  assert.match(metrics, /^metadata_record_log_last 1$/m);
});

test('writes that were acknowledged before SIGTERM are stored, those in flight are answered', async t => {
  const DATA_DIR = await temporaryFolder(t);
  const daemon = await start(t, { DATA_DIR });
  const client = clientOf(t, daemon);
  await client.call('getUUID', { rpcArgs: [] });
  const puts = Array.from({ length: 500 }, (_, n) =>
    client.call('put', { rpcArgs: [`k${n}`, '{}', {}], subLevel: ['b'] }).then(
      () => `k${n}`,
      (err: unknown) => {
        assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
      },
    ),
  );
  await puts[0];
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null }, daemon.output());
  const stored = (await Promise.all(puts)).filter(key => key !== undefined);
  assert.ok(stored.length > 0);
  const next = clientOf(t, await start(t, { DATA_DIR }));
  for (const key of stored) await next.call('get', { rpcArgs: [key, {}], subLevel: ['b'] });
});

test('settings that are wrong stop the start, each with its name', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await refused(t, { DATA_DIR, METADATA_PORT: 'many' }, /METADATA_PORT: "many" is not accepted/);
  await refused(
    t,
    { DATA_DIR, MODULES_ON: 'node.platform.os == linux' },
    /MODULES_ON: "node.* another node, and METADATA_BACKEND=leveldown keeps files/,
  );
  await refused(t, { DATA_DIR, RECORD_LOG_MAX_RECORDS: '-1' }, /RECORD_LOG_MAX_RECORDS: "-1"/);
  await refused(
    t,
    { DATA_DIR, METADATA_BACKEND_FILE: '/missing/file' },
    /METADATA_BACKEND_FILE: cannot read/,
  );
  await refused(t, { DATA_DIR, LISTEN_ADDRESS: '203.0.113.1' }, /LISTEN_ADDRESS 203\.0\.113\.1/);
});

test('settings without effect for the store are refused, and not what a stack sets for any', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await refused(
    t,
    { DATA_DIR, MONGODB_COLLECTION: 'm', JSONDOWN_JOURNAL_BYTES: '5000' },
    /METADATA_BACKEND=leveldown: set, and without effect for it: JSONDOWN_JOURNAL_BYTES: it is for jsondown and jsonmemcached; MONGODB_COLLECTION: it is for mongodown/,
  );
  await refused(
    t,
    { DATA_DIR, METADATA_ADVERTISE: 'here' },
    /METADATA_ADVERTISE: set, and without effect: .*METADATA_BACKEND=leveldown.*MONGODB_IN_USE=wait/,
  );
  const MONGODB_URL = 'mongodb://127.0.0.1:1';
  await refused(
    t,
    { DATA_DIR, METADATA_BACKEND: 'mongodown', MONGODB_URL, METADATA_ADVERTISE: 'here' },
    /METADATA_ADVERTISE: set, and without effect: .*MONGODB_IN_USE=wait/,
  );
  const preset = { MONGODB_URL, MONGODB_IN_USE: 'wait', MEMCACHED_HOSTS: 'memcached' };
  await start(t, { DATA_DIR, ...preset });
});

test('an unknown LevelDOWN is refused with the names of those that are known', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await refused(
    t,
    { DATA_DIR, METADATA_BACKEND: 'leveldawn' },
    /METADATA_BACKEND: cannot load "leveldawn" .*expected one of leveldown, .*, or a package or path/,
  );
  await refused(
    t,
    { DATA_DIR, METADATA_BACKEND: './missing.js' },
    /METADATA_BACKEND: cannot load "\.\/missing\.js"/,
  );
  await refused(
    t,
    { DATA_DIR, METADATA_BACKEND: `${OUTSIDE}no-level.js` },
    /METADATA_BACKEND: .* is no store/,
  );
});

test('folders that are missing or not folders are refused', async t => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'file');
  await writeFile(file, '');
  await refused(
    t,
    { METADATA_PATH: path.join(folder, 'missing') },
    /METADATA_PATH: folder .*missing does not exist/,
  );
  await refused(t, { METADATA_PATH: file }, /METADATA_PATH: .* is not a folder/);
  await refused(t, { DATA_DIR: path.join(folder, 'missing') }, /DATA_DIR: folder .*missing does not exist/);
});

test('the id of a deployment without its database is refused: a disk is not mounted', async t => {
  const METADATA_PATH = await temporaryFolder(t);
  await writeFile(path.join(METADATA_PATH, 'uuid'), 'f2b0e6d8-0000-4000-8000-000000000000');
  await refused(
    t,
    { METADATA_PATH },
    /METADATA_PATH: .* holds the id of a deployment but not its database rootDB/,
  );
  assert.deepEqual(await readdir(METADATA_PATH), ['uuid']);
});

test('a database that another process has open, or that is damaged, is refused', async t => {
  const METADATA_PATH = await temporaryFolder(t);
  const daemon = await start(t, { METADATA_PATH });
  await refused(t, { METADATA_PATH }, /METADATA_PATH: the database is in use by another process/);
  await daemon.kill('SIGTERM');
  await writeFile(path.join(METADATA_PATH, 'rootDB', 'CURRENT'), 'garbage');
  await refused(t, { METADATA_PATH }, /METADATA_ACCEPT_LOSS: .*: CURRENT is damaged: bring back a backup/);
});

test('a port that is in use is refused', async t => {
  const daemon = await start(t, { DATA_DIR: await temporaryFolder(t) });
  for (const name of ['METADATA_PORT', 'METADATA_PROBE_PORT']) {
    const taken = { [name]: String(daemon.ports[name]) };
    await refused(
      t,
      { DATA_DIR: await temporaryFolder(t), ...taken },
      new RegExp(`${name}: port \\d+ .* already in use`),
    );
  }
});

test('an abstract-leveldown store from outside is used by its path', async t => {
  const daemon = await start(t, {
    DATA_DIR: await temporaryFolder(t),
    METADATA_BACKEND: `${OUTSIDE}plain-level.js`,
  });
  const client = clientOf(t, daemon);
  await client.call('put', { rpcArgs: ['k', '{}', {}], subLevel: ['b'] });
  assert.equal(await client.call('get', { rpcArgs: ['k', {}], subLevel: ['b'] }), '{}');
});

test('a module whose store was taken over says so and ends with 1', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await mkdir(path.join(DATA_DIR, 'metadata'));
  const daemon = await start(t, { DATA_DIR, METADATA_BACKEND: `${OUTSIDE}fenced-level.js` });
  const client = clientOf(t, daemon);
  await assert.rejects(client.call('put', { rpcArgs: ['k', '{}', {}], subLevel: ['bucket'] }), err =>
    isErrorType(err, 'ServiceUnavailable'),
  );
  assert.equal((await daemon.exited).code, 1);
  await daemon.printed(/"level":60.*another process has the lease.*cannot go on/);
});

test('a module whose store is damaged while it runs says so and ends with 1', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await mkdir(path.join(DATA_DIR, 'metadata'));
  const daemon = await start(t, { DATA_DIR, METADATA_BACKEND: `${OUTSIDE}failing-level.js` });
  const client = clientOf(t, daemon);
  const put = (): Promise<unknown> => client.call('put', { rpcArgs: ['k', '{}', {}], subLevel: ['bucket'] });
  await assert.rejects(put(), err => isErrorType(err, 'InternalError'));
  await assert.rejects(put(), err => isErrorType(err, 'ServiceUnavailable'));
  assert.equal((await daemon.exited).code, 1);
  await daemon.printed(/"level":60.*the store is lost to this process: line 7 is damaged.*cannot go on/);
});

test('a module whose store answers nothing any more ends with 0 when it is told to', async t => {
  const DATA_DIR = await temporaryFolder(t);
  await mkdir(path.join(DATA_DIR, 'metadata'));
  const daemon = await start(t, {
    DATA_DIR,
    METADATA_BACKEND: `${OUTSIDE}failing-level.js`,
    FAILURE: 'silence',
    STOP_GRACE_MS: '2000',
  });
  const client = clientOf(t, daemon);
  const put = assert.rejects(client.call('put', { rpcArgs: ['k', '{}', {}], subLevel: ['bucket'] }));
  await client.call('getUUID', { rpcArgs: [] });
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null }, daemon.output());
  await put;
  await daemon.printed(/calls in flight are left unanswered/);
  await daemon.printed(/what is in line is left behind/);
});
