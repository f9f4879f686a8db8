/** The part of a saslauthd, so that a real memcached (`-S`) can ask for passwords in tests. */
import { chmod, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';

/**
 * Knows one user. Listens where Cyrus SASL asks, and writes the configuration that leads it there: start memcached
 * with `SASL_CONF_PATH` set to `folder`. A question is four texts, each behind its length in two bytes; login and
 * password come first.
 */
export async function startSaslAuth(
  t: Pick<TestContext, 'after'>,
  folder: string,
  user: string,
  password: string,
): Promise<void> {
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
