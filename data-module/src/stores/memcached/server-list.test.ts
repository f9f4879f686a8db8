/** The guard against another list of servers, and the settings that stop a start. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { isErrorType } from '@zenko-modules/common/errors';
import type { Environment } from '@zenko-modules/common/settings';
import { SettingsError } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { freePort } from '@zenko-modules/common/testing/test-server';
import type { DataStore } from '../../data-store.js';
import { readiness, startMemcachedModule } from '../../testing/memcached-module.js';
import { silentLogger } from '@zenko-modules/common/logger';
import { openStore } from '../open-store.js';
import { memcachedStore } from './memcached-store.js';
import { StoreLayer } from '../store-layer.js';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));
const REFUSAL = /^MEMCACHED_HOSTS: "[^"]*" is not "[^"]*", with which .* MEMCACHED_ALLOW_RESHARD=true/;
const options = { skip: memcachedMissing };

const hosts = (...ports: number[]): string => ports.map(port => `127.0.0.1:${port}`).join(',');

async function open(folder: string, list: string, more: Environment = {}): Promise<DataStore> {
  const env = { DATA_DIR: folder, MEMCACHED_HOSTS: list, ...more };
  return new StoreLayer(await openStore(memcachedStore, { dataDir: env.DATA_DIR, env, log: silentLogger() }));
}

async function assertRefused(folder: string, list: string): Promise<void> {
  await assert.rejects(open(folder, list), err => {
    assert.ok(err instanceof StartError, `${list}: ${String(err)}`);
    assert.match(err.message, REFUSAL);
    return true;
  });
}

test(
  'another list of servers is refused, by the folder and by the servers, unless it is allowed',
  options,
  async t => {
    const [a, b] = [(await startMemcached(t)).port, (await startMemcached(t)).port];
    const folder = await temporaryFolder(t);
    const before = await open(folder, hosts(a, b));
    const key = await before.put(Readable.from(['kept']), 4);
    await before.close();

    const others = [hosts(b, a), hosts(a), hosts(b), hosts(a, b, a), hosts(await freePort())];
    for (const list of others) await assertRefused(folder, list);
    // A new folder, as in a container without a volume: the servers remember.
    const empty = await temporaryFolder(t);
    for (const list of others.slice(0, 4)) await assertRefused(empty, list);

    const after = await open(await temporaryFolder(t), hosts(a, b));
    assert.equal(await text(await after.get(key)), 'kept');
    await after.close();

    const allowed = await open(folder, hosts(b, a), { MEMCACHED_ALLOW_RESHARD: 'true' });
    await allowed.close();
    await (await open(folder, hosts(b, a))).close();
    await assertRefused(folder, hosts(a, b));
  },
);

test('the folder remembers when all servers were restarted', options, async t => {
  const server = await startMemcached(t);
  const folder = await temporaryFolder(t);
  await (await open(folder, hosts(server.port))).close();
  await server.stop();
  await startMemcached(t, { port: server.port });
  await assertRefused(folder, hosts(server.port, (await startMemcached(t)).port));
  await (await open(folder, hosts(server.port))).close();
});

test('a server that was away at the start and holds another list is not used', options, async t => {
  const [here, away] = [await startMemcached(t), await startMemcached(t)];
  await away.stop();
  const module = await startMemcachedModule(t, [here.port, away.port]);
  const back = await startMemcached(t, { port: away.port });
  const elsewhere = await startMemcachedModule(t, [back.port]);
  await elsewhere.store.put(Readable.from(['theirs']), 6);
  assert.equal(await readiness(module), 503);
  const puts = Array.from({ length: 8 }, () => module.store.put(Readable.from(['ours']), 4));
  const refused = (await Promise.allSettled(puts)).filter(({ status }) => status === 'rejected');
  assert.ok(refused.length > 0);
  for (const result of refused) {
    assert.ok(result.status === 'rejected' && isErrorType(result.reason, 'ServiceUnavailable'));
    assert.match(result.reason.message, /MEMCACHED_HOSTS is not the list/);
  }
});

test('a server that was restarted is given the list again by the readiness probe', options, async t => {
  const server = await startMemcached(t);
  const module = await startMemcachedModule(t, [server.port]);
  await server.stop('SIGKILL');
  await startMemcached(t, { port: server.port });
  assert.equal(await readiness(module), 200);
  await assertRefused(await temporaryFolder(t), hosts(server.port, await freePort()));
});

test('settings that are missing, wrong or contradict each other stop the start', async t => {
  const folder = await temporaryFolder(t);
  const refusals: readonly (readonly [Environment, RegExp])[] = [
    [{ MEMCACHED_HOSTS: '' }, /^MEMCACHED_HOSTS: missing, .* host:port/],
    [{ MEMCACHED_HOSTS: 'a:b' }, /^MEMCACHED_HOSTS: "a:b" .* host:port/],
    [{ MEMCACHED_HOSTS: 'a,,b' }, /^MEMCACHED_HOSTS: "a,,b" .* host:port/],
    [{ MEMCACHED_USER: 'zenko' }, /^MEMCACHED_USER and MEMCACHED_PASSWORD: only one/],
    [{ MEMCACHED_PASSWORD: 'geheim' }, /^(?!.*geheim).*only one/],
    [{ MEMCACHED_CHUNK_BYTES: '10' }, /^MEMCACHED_CHUNK_BYTES: "10" .* from 1024/],
    [{ MEMCACHED_ALLOW_RESHARD: 'yes' }, /^MEMCACHED_ALLOW_RESHARD: "yes" .* true or false/],
    [{ MEMCACHED_PASSWORD_FILE: path.join(folder, 'none') }, /^MEMCACHED_PASSWORD_FILE: cannot read/],
    [{ DATA_DIR: path.join(folder, 'none') }, /^DATA_DIR: folder .* does not exist/],
  ];
  for (const [env, line] of refusals) {
    await assert.rejects(
      async () => open(folder, '127.0.0.1:1', env),
      err => (err instanceof StartError || err instanceof SettingsError) && line.test(err.message),
      String(line),
    );
  }
  const env = { DATA_BACKEND: 'memcached', DATA_DIR: folder, DATA_PORT: '0', DATA_PROBE_PORT: '0' };
  const { code, output } = await runToExit(t, { entry: MAIN, env });
  assert.equal(code, 1);
  assert.match(output, /^data-module: MEMCACHED_HOSTS: missing[^\n]*\n$/);
});
