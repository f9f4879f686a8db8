/** Each fault of memjs 1.3 that must not reach a user, provoked through a proxy. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import memjs from 'memjs';
import { DeadlineError, withDeadline } from '../deadline.js';
import { silentLogger } from '../logger.js';
import { memcachedMissing, startMemcached } from '../testing/memcached-server.js';
import { type Harm, startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.js';
import { MemcachedClient } from './memcached-client.js';
import { MemcachedError } from './memcached-error.js';

const HARMS: readonly Harm[] = ['reset', 'close', 'stall'];
const DEADLINE_MS = 700;
const VALUE = randomBytes(300_000);
const OTHER = randomBytes(300_000);
const options = { skip: memcachedMissing };

function clientOf(t: TestContext, port: number, deadlineMs: number, maxInFlight = 8): MemcachedClient {
  const client = new MemcachedClient({
    servers: [{ host: '127.0.0.1', port }],
    deadlineMs,
    maxInFlightPerServer: maxInFlight,
    log: silentLogger(),
  });
  t.after(() => client.close());
  return client;
}

async function throughProxy(
  t: TestContext,
): Promise<{ client: MemcachedClient; proxy: TcpProxy; port: number }> {
  const { port } = await startMemcached(t);
  const proxy = await startTcpProxy(t, port);
  const client = clientOf(t, proxy.port, DEADLINE_MS);
  await client.set('value', VALUE);
  await client.set('other', OTHER);
  return { client, proxy, port };
}

function isUnavailable(err: unknown): boolean {
  assert.ok(err instanceof MemcachedError, String(err));
  assert.equal(err.code, 'UNAVAILABLE');
  return true;
}

test('memjs itself has the faults that this layer is here for', options, async t => {
  const { port } = await startMemcached(t);
  const proxy = await startTcpProxy(t, port);
  const quiet = { retries: 2, timeout: 2, logger: { log: () => undefined } };
  const bare = (): memjs.Client => {
    const client = memjs.Client.create(`127.0.0.1:${proxy.port}`, quiet);
    t.after(() => client.close());
    return client;
  };
  await bare().set('value', VALUE);

  const reset = bare();
  proxy.arm({ harm: 'reset', afterBytes: 100_000 });
  const { value } = await reset.get('value');
  assert.ok(value !== null && !value.equals(VALUE), 'after a reset in a value: success, with wrong bytes');

  const closed = bare();
  proxy.arm({ harm: 'close', afterBytes: 100_000 });
  await assert.rejects(
    withDeadline(closed.get('value'), 5000, 'the call'),
    DeadlineError,
    'after a close: no end',
  );
});

for (const harm of HARMS) {
  test(
    `a ${harm} in the midst of a value does not reach the caller: the value is read again`,
    options,
    async t => {
      const { client, proxy } = await throughProxy(t);
      for (const afterBytes of [0, 1, 23, 24, 28, 40, 100_000, 299_999, 300_035]) {
        proxy.arm({ harm, afterBytes });
        const before = proxy.harmed();
        assert.ok((await client.get('value'))?.equals(VALUE), `after ${afterBytes} bytes`);
        assert.equal(proxy.harmed(), before + 1);
        assert.ok((await client.get('other'))?.equals(OTHER));
      }
    },
  );

  test(`a ${harm} that comes every time is UNAVAILABLE, and the next call is served`, options, async t => {
    const { client, proxy } = await throughProxy(t);
    proxy.arm({ harm, afterBytes: 100_000, times: 2 });
    await assert.rejects(client.get('value'), isUnavailable);
    assert.equal(proxy.harmed(), 2);
    assert.ok((await client.get('value'))?.equals(VALUE));
  });

  test(
    `a ${harm} while many calls are on their way gives each its own value or an error`,
    options,
    async t => {
      const { client, proxy } = await throughProxy(t);
      const keys = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 'value' : 'other'));
      proxy.arm({ harm, afterBytes: 700_000, times: 2 });
      const results = await Promise.allSettled(keys.map(key => client.get(key)));
      for (const [i, result] of results.entries()) {
        if (result.status === 'rejected') isUnavailable(result.reason);
        else assert.ok(result.value?.equals(keys[i] === 'value' ? VALUE : OTHER), `call ${i}`);
      }
      assert.ok((await client.get('value'))?.equals(VALUE));
    },
  );

  test(`a ${harm} in the midst of a set is made good, and an add is not made twice`, options, async t => {
    const { client, proxy } = await throughProxy(t);
    proxy.arm({ harm, of: 'requests', afterBytes: 100_000 });
    await client.set('value', OTHER);
    assert.ok((await client.get('value'))?.equals(OTHER));
    // The server has carried it out, but its answer is lost.
    proxy.arm({ harm, afterBytes: 0 });
    await assert.rejects(client.add('added', VALUE), isUnavailable);
    assert.equal(await client.add('added', OTHER), false);
    assert.ok((await client.get('added'))?.equals(VALUE));
  });

  test(`a ${harm} that loses the answer to a delete does not make the item unknown`, options, async t => {
    const { client, proxy } = await throughProxy(t);
    proxy.arm({ harm, afterBytes: 0 });
    assert.equal(await client.delete('value'), true);
    assert.equal(proxy.harmed(), 1);
    assert.equal(await client.delete('value'), false);
  });

  test(`a ${harm} while nothing is asked for goes unnoticed`, options, async t => {
    const { client, proxy } = await throughProxy(t);
    for (let i = 0; i < 3; i += 1) {
      proxy.harmAll(harm);
      assert.ok((await client.get('value'))?.equals(VALUE));
    }
  });
}

test(
  'a close with a call outstanding is noticed, not waited for',
  { ...options, timeout: 60_000 },
  async t => {
    const { port } = await startMemcached(t);
    const proxy = await startTcpProxy(t, port);
    const client = clientOf(t, proxy.port, 3_600_000);
    await client.set('value', VALUE);
    for (const afterBytes of [0, 23, 100_000]) {
      proxy.arm({ harm: 'close', afterBytes });
      assert.ok((await client.get('value'))?.equals(VALUE));
    }
    assert.equal(proxy.harmed(), 3);
  },
);

test('a connection that stood still is not kept', options, async t => {
  const { client, proxy } = await throughProxy(t);
  proxy.harmAll('stall');
  assert.ok((await client.get('value'))?.equals(VALUE));
  while (proxy.open() > 1) await new Promise(resolve => setTimeout(resolve, 10));
});

test('an answer that is slow but within the deadline is waited for', options, async t => {
  const { client, proxy } = await throughProxy(t);
  proxy.delayAnswers(50);
  assert.equal(await client.delete('value'), true);
  assert.equal(proxy.accepted(), 1);
});

/** So many that they would take minutes, one turn after the other. */
const WAITING = 3000;

test('calls that wait for a turn fail with those before them', { ...options, timeout: 60_000 }, async t => {
  const { client, proxy } = await throughProxy(t);
  proxy.arm({ harm: 'stall', afterBytes: 0, times: WAITING });
  const results = await Promise.allSettled(Array.from({ length: WAITING }, () => client.get('value')));
  for (const result of results) assert.ok(result.status === 'rejected' && isUnavailable(result.reason));
  proxy.arm({ harm: 'stall', afterBytes: 0, times: 0 });
  assert.ok((await client.get('value'))?.equals(VALUE));
});

test(
  'the time in line does not count: calls of a slow server end well however many wait',
  options,
  async t => {
    const { port } = await startMemcached(t);
    const proxy = await startTcpProxy(t, port);
    // Far longer than an answer takes, also on a busy machine.
    const deadlineMs = 4000;
    const delayMs = 100;
    const client = clientOf(t, proxy.port, deadlineMs, 1);
    await client.set('small', Buffer.from('bytes'));
    proxy.delayAnswers(delayMs);
    // The last of them waits for longer than a call may take, with its second attempt.
    const count = (2 * deadlineMs) / delayMs + 15;
    const found = await Promise.all(Array.from({ length: count }, () => client.get('small')));
    for (const value of found) assert.equal(value?.toString(), 'bytes');
    assert.equal(proxy.accepted(), 1, 'none was tried again');
  },
);

test('bytes that were changed on their way, or in the server, do not come through', options, async t => {
  const { client, port } = await throughProxy(t);
  const foreign = memjs.Client.create(`127.0.0.1:${port}`, { logger: { log: () => undefined } });
  t.after(() => foreign.close());
  const item = (await foreign.get('value')).value ?? Buffer.alloc(0);
  item.writeUInt8(item.readUInt8(200_000) ^ 1, 200_000);
  await foreign.set('value', item);
  await assert.rejects(client.get('value'), err => err instanceof MemcachedError && err.code === 'CORRUPT');
  await foreign.set('value', (await foreign.get('other')).value ?? '');
  await assert.rejects(client.get('value'), err => err instanceof MemcachedError && err.code === 'CORRUPT');
  assert.ok((await client.get('other'))?.equals(OTHER));
});
