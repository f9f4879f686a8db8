/** Passwords, against a memcached that really asks for them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '../logger.js';
import { memcachedMissing, startMemcached } from '../testing/memcached-server.js';
import { startSaslAuth } from '../testing/sasl-auth.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { MemcachedClient } from './memcached-client.js';
import { MemcachedError } from './memcached-error.js';

test('the right user and password are served, and no others', { skip: memcachedMissing }, async t => {
  const folder = await temporaryFolder(t);
  await startSaslAuth(t, folder, 'zenko', 'secret: with, signs');
  const { port } = await startMemcached(t, { args: ['-S'], env: { SASL_CONF_PATH: folder } });
  const clientOf = (user?: string, password?: string): MemcachedClient => {
    const servers = [{ host: '127.0.0.1', port }];
    const client = new MemcachedClient({
      servers,
      user,
      password,
      deadlineMs: 3000,
      maxInFlightPerServer: 4,
      log: silentLogger(),
    });
    t.after(() => client.close());
    return client;
  };
  const right = clientOf('zenko', 'secret: with, signs');
  await right.set('key', Buffer.from('value'));
  assert.equal((await right.get('key'))?.toString(), 'value');

  for (const [user, password] of [
    ['zenko', 'wrong'],
    ['nobody', 'secret: with, signs'],
    [undefined, undefined],
  ]) {
    const wrong = clientOf(user, password);
    for (let i = 0; i < 2; i += 1) {
      await assert.rejects(wrong.get('key'), err => {
        assert.ok(err instanceof MemcachedError);
        assert.equal(err.code, 'UNAUTHORIZED');
        assert.ok(!err.message.includes('secret'));
        return true;
      });
    }
  }
  assert.equal((await right.get('key'))?.toString(), 'value');
});
