/** memcached is full, away, stands still, or is none: named errors within seconds, nothing left, and no restart needed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { startSaslAuth } from '@zenko-modules/common/testing/sasl-auth';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { countItems } from '../../testing/memcached-items.js';
import { type MemcachedModule, readiness, startMemcachedModule } from '../../testing/memcached-module.js';

const MiB = 1024 * 1024;
/** Longer than the longest pause before what is left of a blob is removed once more. */
const SETTLE_MS = 60_000;
const options = { skip: memcachedMissing };

const local = (port: number) => ({ host: '127.0.0.1', port });

/** Asserts that an upload is refused as unavailable, by an error and not by a deadline of the client. */
async function assertRefused({ store }: MemcachedModule, size: number, reason: RegExp): Promise<void> {
  await assertUnavailable(store.put(generatedBytes(1, size), size), reason);
}

async function assertUnavailable(upload: Promise<unknown>, reason: RegExp): Promise<void> {
  await assert.rejects(upload, err => {
    assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
    assert.match(err.message, reason);
    return true;
  });
}

async function assertServes({ store }: MemcachedModule): Promise<void> {
  const key = await store.put(generatedBytes(7, 3 * MiB), 3 * MiB);
  assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(7, 3 * MiB)));
  await store.delete(key);
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  while (!(await holds().catch(() => false))) {
    assert.ok(Date.now() < deadline, `${what}, within ${SETTLE_MS} ms`);
    await sleep(50);
  }
}

test('a server without memory refuses the upload and keeps nothing of it', options, async t => {
  const { port } = await startMemcached(t, { args: ['-M', '-m', '16'] });
  const module = await startMemcachedModule(t, [port]);
  const empty = await countItems([local(port)]);
  for (let i = 0; i < 3; i += 1) await assertRefused(module, 30 * MiB, /no memory left/);
  await eventually('its chunks are gone', async () => (await countItems([local(port)])) === empty);
  await assertServes(module);
});

test('an item limit below the chunk size is named', options, async t => {
  const { port } = await startMemcached(t, { args: ['-M', '-I', '128k', '-o', 'slab_chunk_max=131072'] });
  const module = await startMemcachedModule(t, [port]);
  const empty = await countItems([local(port)]);
  await assertRefused(module, MiB, /MEMCACHED_CHUNK_BYTES/);
  await eventually('its chunks are gone', async () => (await countItems([local(port)])) === empty);
  assert.equal(await readiness(module), 503);
  const fitting = await startMemcachedModule(t, [port], { MEMCACHED_CHUNK_BYTES: '100000' });
  assert.equal(await readiness(fitting), 200);
  await assertServes(fitting);
  assert.equal(await countItems([local(port)]), empty, 'nothing of the probes stays');
});

test(
  'a server of several that takes no chunk, or has no memory left, makes the module unready',
  options,
  async t => {
    const good = await startMemcached(t);
    const small = await startMemcached(t, { args: ['-M', '-I', '128k', '-o', 'slab_chunk_max=131072'] });
    assert.equal(await readiness(await startMemcachedModule(t, [good.port, small.port])), 503);
    const full = await startMemcached(t, { args: ['-M', '-m', '16'] });
    const module = await startMemcachedModule(t, [full.port]);
    assert.equal(await readiness(module), 200);
    const keys: string[] = [];
    for (;;) {
      const stored = await module.store.put(generatedBytes(1, MiB), MiB).catch(() => undefined);
      if (stored === undefined) break;
      keys.push(stored);
    }
    await eventually('it is not ready', async () => (await readiness(module)) === 503);
    for (const key of keys) await module.store.delete(key);
    await eventually('it is ready again', async () => (await readiness(module)) === 200);
  },
);

test('the module starts without memcached, says so, and recovers by itself', options, async t => {
  const server = await startMemcached(t);
  await server.stop('SIGKILL');
  const module = await startMemcachedModule(t, [server.port]);
  await assertRefused(module, MiB, /cannot be reached/);
  await assertRefused(module, 0, /cannot be reached/);
  const { store } = module;
  for (const call of [() => store.get('ab'), () => store.delete('ab'), () => store.diskUsage()]) {
    await assert.rejects(call(), err => isErrorType(err, 'ServiceUnavailable'));
  }
  assert.equal(await readiness(module), 503);
  await startMemcached(t, { port: server.port });
  await eventually('it is ready again', async () => (await readiness(module)) === 200);
  await assertServes(module);
});

test('a host that is none is ServiceUnavailable', options, async t => {
  const module = await startMemcachedModule(t, [], { MEMCACHED_HOSTS: 'no-such-host.invalid' });
  await assertRefused(module, MiB, /cannot be reached/);
  assert.equal(await readiness(module), 503);
});

test(
  'a server that is killed in the midst of an upload fails it, and serves the next when it is back',
  options,
  async t => {
    const server = await startMemcached(t);
    const module = await startMemcachedModule(t, [server.port]);
    const source = new PassThrough();
    source.on('error', () => source.destroy());
    const put = module.store.put(source, 8 * MiB);
    generatedBytes(1, 4 * MiB).pipe(source, { end: false });
    await eventually('chunks are there', async () => (await countItems([local(server.port)])) > 4);
    // It may be refused while the server is still being stopped.
    const refused = assert.rejects(put, err => isErrorType(err, 'ServiceUnavailable'));
    await server.stop('SIGKILL');
    generatedBytes(2, 4 * MiB).pipe(source);
    await refused;
    await startMemcached(t, { port: server.port });
    await assertServes(module);
  },
);

test('a server that loses a chunk before the upload ends fails it', options, async t => {
  const server = await startMemcached(t);
  const module = await startMemcachedModule(t, [server.port]);
  const source = new PassThrough();
  source.on('error', () => source.destroy());
  const put = module.store.put(source, 8 * MiB);
  generatedBytes(1, 4 * MiB).pipe(source, { end: false });
  await eventually('chunks are there', async () => (await countItems([local(server.port)])) > 4);
  const refused = assert.rejects(put, err => isErrorType(err, 'ServiceUnavailable'));
  await server.stop('SIGKILL');
  await startMemcached(t, { port: server.port });
  generatedBytes(2, 4 * MiB).pipe(source);
  await refused;
  await eventually('its chunks are gone', async () => (await countItems([local(server.port)])) <= 1);
});

test(
  'a server that stands still fails the upload, and its chunks go when it moves again',
  options,
  async t => {
    const { port } = await startMemcached(t);
    const proxy = await startTcpProxy(t, port);
    const module = await startMemcachedModule(t, [proxy.port]);
    const empty = await countItems([local(port)]);
    const source = new PassThrough();
    source.on('error', () => source.destroy());
    const put = module.store.put(source, 8 * MiB);
    generatedBytes(1, 4 * MiB).pipe(source, { end: false });
    await eventually('chunks are there', async () => (await countItems([local(port)])) > empty);
    proxy.standStill(true);
    generatedBytes(2, 4 * MiB).pipe(source);
    await assertUnavailable(put, /cannot be reached/);
    assert.equal(await readiness(module), 503);
    assert.ok((await countItems([local(port)])) > empty, 'nothing could be removed');
    proxy.standStill(false);
    await eventually('its chunks are gone', async () => (await countItems([local(port)])) === empty);
    await assertServes(module);
  },
);

test(
  'of two servers one that is away refuses what it would hold, and what the other got is removed',
  options,
  async t => {
    const near = await startMemcached(t);
    const far = await startMemcached(t);
    const module = await startMemcachedModule(t, [near.port, far.port]);
    await far.stop('SIGKILL');
    const empty = await countItems([local(near.port)]);
    await assertRefused(module, 16 * MiB, /cannot be reached/);
    await startMemcached(t, { port: far.port });
    await eventually('its chunks are gone', async () => (await countItems([local(near.port)])) === empty);
    await assertServes(module);
  },
);

test('a client that goes away in the midst of an upload leaves no chunks', options, async t => {
  const { port } = await startMemcached(t);
  const module = await startMemcachedModule(t, [port]);
  const empty = await countItems([local(port)]);
  const source = new PassThrough();
  source.on('error', () => source.destroy());
  const put = module.store.put(source, 64 * MiB);
  generatedBytes(1, 4 * MiB).pipe(source, { end: false });
  await eventually('chunks are there', async () => (await countItems([local(port)])) > 4);
  source.destroy();
  await assert.rejects(put);
  await eventually('its chunks are gone', async () => (await countItems([local(port)])) === empty);
});

test('a reader that stands still makes the module read no more than its window', options, async t => {
  const { port } = await startMemcached(t, { args: ['-M', '-m', '512'] });
  const proxy = await startTcpProxy(t, port);
  const module = await startMemcachedModule(t, [proxy.port]);
  const key = await module.store.put(generatedBytes(1, 64 * MiB), 64 * MiB);
  // More than the window and what the system buffers between module and reader.
  proxy.arm({ harm: 'reset', afterBytes: 20 * MiB });
  const stream = await module.store.get(key);
  await once(stream, 'readable');
  await sleep(2000);
  assert.equal(proxy.harmed(), 0, 'less than a third was read from memcached');
  stream.destroy();
});

test('the user and password are used, the password from a file', options, async t => {
  const folder = await temporaryFolder(t);
  await startSaslAuth(t, folder, 'zenko', 'secret');
  const { port } = await startMemcached(t, { args: ['-M', '-S'], env: { SASL_CONF_PATH: folder } });
  const secret = path.join(await temporaryFolder(t), 'password');
  await writeFile(secret, 'secret\n');
  const right = await startMemcachedModule(t, [port], {
    MEMCACHED_USER: 'zenko',
    MEMCACHED_PASSWORD_FILE: secret,
  });
  await assertServes(right);
  const wrong = await startMemcachedModule(t, [port], {
    MEMCACHED_USER: 'zenko',
    MEMCACHED_PASSWORD: 'guess',
  });
  await assertRefused(wrong, MiB, /refuses MEMCACHED_USER/);
  assert.equal(await readiness(wrong), 503);
});
