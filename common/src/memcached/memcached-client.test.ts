/** Items on a real memcached, and what happens when it refuses, goes away, or asks for a password. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { sleep } from '../deadline.js';
import { silentLogger } from '../logger.js';
import { memcachedMissing, startMemcached } from '../testing/memcached-server.js';
import { MemcachedClient, type MemcachedClientOptions } from './memcached-client.js';
import { MemcachedError, type MemcachedErrorCode } from './memcached-error.js';

const MiB = 1024 * 1024;

function clientOf(
  t: TestContext,
  ports: readonly number[],
  more: Partial<MemcachedClientOptions> = {},
): MemcachedClient {
  const client = new MemcachedClient({
    servers: ports.map(port => ({ host: '127.0.0.1', port })),
    deadlineMs: 3000,
    maxInFlightPerServer: 16,
    log: silentLogger(),
    ...more,
  });
  t.after(() => client.close());
  return client;
}

const withCode =
  (...codes: MemcachedErrorCode[]) =>
  (err: unknown): boolean => {
    assert.ok(err instanceof MemcachedError, String(err));
    assert.ok(codes.includes(err.code), `${codes.join(' or ')}, not ${err.code}: ${err.message}`);
    return true;
  };

test('items are set, added, replaced, read, touched and deleted', { skip: memcachedMissing }, async t => {
  const { port } = await startMemcached(t);
  const client = clientOf(t, [port]);
  assert.equal(await client.get('key'), undefined);
  assert.equal(await client.delete('key'), false);
  assert.equal(await client.touch('key', 0), false);
  assert.equal(await client.replace('key', Buffer.from('new')), false);
  assert.equal(await client.get('key'), undefined);
  for (const value of [Buffer.alloc(0), Buffer.from('\0\xff', 'latin1'), randomBytes(300_000)]) {
    await client.set('key', value);
    assert.ok((await client.get('key'))?.equals(value));
  }
  assert.equal(await client.add('key', Buffer.from('other')), false);
  assert.equal((await client.get('key'))?.length, 300_000);
  assert.equal(await client.touch('key', 60), true);
  assert.equal(await client.delete('key'), true);
  assert.equal(await client.add('key', Buffer.from('other')), true);
  assert.equal(await client.replace('key', Buffer.from('new')), true);
  assert.equal((await client.get('key'))?.toString(), 'new');
});

test('an item expires when it was told to, unless it is touched', { skip: memcachedMissing }, async t => {
  const { port } = await startMemcached(t);
  const client = clientOf(t, [port]);
  await client.set('gone', Buffer.from('value'), { expiresInSeconds: 1 });
  await client.set('kept', Buffer.from('value'), { expiresInSeconds: 1 });
  await client.touch('kept', 0);
  while ((await client.get('gone')) !== undefined) await sleep(100);
  assert.equal((await client.get('kept'))?.toString(), 'value');
});

test('many calls at once all get their own answers', { skip: memcachedMissing }, async t => {
  const ports = [await startMemcached(t), await startMemcached(t), await startMemcached(t)].map(
    ({ port }) => port,
  );
  const client = clientOf(t, ports);
  const keys = Array.from({ length: 500 }, (_, i) => `key ${i}`);
  await Promise.all(keys.map(key => client.set(key, Buffer.from(`value of ${key}`))));
  const values = await Promise.all(keys.map(key => client.get(key)));
  assert.deepEqual(
    values.map(String),
    keys.map(key => `value of ${key}`),
  );
  const usage = await client.usage();
  assert.deepEqual(
    usage.map(({ server }) => server),
    client.servers,
  );
  for (const { usedBytes, limitBytes } of usage) assert.ok(usedBytes > 0 && limitBytes === 256 * MiB);
});

test(
  'a server without memory is OUT_OF_MEMORY, an item beyond its limit TOO_LARGE, and both leave the connection in order',
  { skip: memcachedMissing },
  async t => {
    const { port } = await startMemcached(t, { args: ['-M', '-m', '8'] });
    const client = clientOf(t, [port]);
    await assert.rejects(client.set('large', Buffer.alloc(MiB)), withCode('TOO_LARGE'));
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100; i += 1) await client.set(`fill ${i}`, Buffer.alloc(200_000));
    };
    await assert.rejects(fill(), withCode('OUT_OF_MEMORY'));
    await assert.rejects(client.replace('fill 0', Buffer.alloc(200_000, 1)), withCode('OUT_OF_MEMORY'));
    assert.ok((await client.get('fill 0'))?.equals(Buffer.alloc(200_000)), 'what was to be replaced stays');
  },
);

test('a key or an expiry that no server takes is refused before it is sent', async t => {
  const client = clientOf(t, [1]);
  for (const key of ['', 'k'.repeat(251), 'ä'.repeat(126)]) await assert.rejects(client.get(key), RangeError);
  for (const expiresInSeconds of [-1, 0.5, 31 * 24 * 3600]) {
    await assert.rejects(client.set('key', Buffer.alloc(1), { expiresInSeconds }), RangeError);
  }
  await assert.rejects(client.get('key', 1), RangeError);
  assert.throws(
    () => new MemcachedClient({ servers: [], deadlineMs: 1, maxInFlightPerServer: 1, log: silentLogger() }),
    RangeError,
  );
});

test('a server that is down, or a host that is none, is UNAVAILABLE', { skip: memcachedMissing }, async t => {
  const server = await startMemcached(t);
  const client = clientOf(t, [server.port], { deadlineMs: 1000 });
  await client.set('key', Buffer.from('value'));
  await server.stop('SIGKILL');
  await assert.rejects(client.get('key'), withCode('UNAVAILABLE'));
  await assert.rejects(client.add('key', Buffer.alloc(1)), withCode('UNAVAILABLE'));
  await startMemcached(t, { port: server.port });
  assert.equal(await client.get('key'), undefined);

  const nowhere = clientOf(t, [], { servers: [{ host: 'no-such-host.invalid', port: 11_211 }] });
  await assert.rejects(nowhere.get('key'), withCode('UNAVAILABLE'));
});

test('after close every call is CLOSED, also one that waits', { skip: memcachedMissing }, async t => {
  const { port } = await startMemcached(t);
  const client = clientOf(t, [port], { maxInFlightPerServer: 1 });
  await client.set('key', Buffer.from('value'));
  const waiting = Promise.allSettled([client.get('key'), client.get('key'), client.get('key')]);
  await Promise.resolve();
  client.close();
  client.close();
  for (const result of await waiting) {
    assert.ok(result.status === 'rejected' && withCode('CLOSED', 'UNAVAILABLE')(result.reason));
  }
  await assert.rejects(client.get('key'), withCode('CLOSED'));
});
