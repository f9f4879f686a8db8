/** Passwords, against a memcached that really asks for them; it has them checked by a saslauthd, whose part this test plays. */
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '../logger.js';
import { memcachedMissing, startMemcached } from '../testing/memcached-server.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { MemcachedClient } from './memcached-client.js';
import { MemcachedError } from './memcached-error.js';

/** Listens where Cyrus SASL asks: four texts, each behind its length in two bytes; login and password come first. */
async function startSaslAuth(t: TestContext, folder: string, user: string, password: string): Promise<void> {
  const server = net.createServer(socket => {
    let asked = Buffer.alloc(0);
    socket.on('data', data => {
      asked = Buffer.concat([asked, data]);
      const texts = textsOf(asked);
      if (texts.length < 4) return;
      const answer = texts[0] === user && texts[1] === password ? 'OK' : 'NO';
      socket.end(Buffer.concat([Buffer.of(0, answer.length), Buffer.from(answer)]));
    });
    socket.on('error', () => socket.destroy());
  });
  const mux = path.join(folder, 'mux');
  await new Promise<void>(resolve => server.listen(mux, resolve));
  t.after(() => server.close());
  await chmod(mux, 0o777);
  await chmod(folder, 0o755);
  const config = ['mech_list: plain', 'pwcheck_method: saslauthd', `saslauthd_path: ${mux}`];
  await writeFile(path.join(folder, 'memcached.conf'), `${config.join('\n')}\n`);
}

function textsOf(bytes: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    texts.push(bytes.toString('utf8', at + 2, end));
    at = end;
  }
  return texts;
}

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
