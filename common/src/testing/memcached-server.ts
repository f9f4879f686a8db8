/** memcached for tests: one of the test's own, from PATH, or, where any will do, one that MEMCACHED_TEST_HOSTS names. */
import type { TestContext } from 'node:test';
import { type HostAndPort, hosts, optional, readSettings } from '../settings.js';
import { findInPath, freePort, skipReason, startTestServer, type TestServer } from './test-server.js';

const PROGRAM = findInPath('memcached');
const NAMED = readSettings({
  MEMCACHED_TEST_HOSTS: optional(hosts(11_211), 'memcached servers for the tests'),
});

const REASON = 'needs memcached in PATH (Debian: apt-get install memcached)';
const ANY_REASON = `${REASON} or MEMCACHED_TEST_HOSTS`;

/**
 * Why tests that need a memcached of their own cannot run here, as node:test's `skip` takes it; `false` when they
 * can, or must.
 */
export const memcachedMissing: string | false = skipReason(PROGRAM !== undefined, REASON);

/** The same for tests that take any memcached, see `anyMemcached`. */
export const anyMemcachedMissing: string | false = skipReason(
  PROGRAM !== undefined || NAMED.MEMCACHED_TEST_HOSTS !== undefined,
  ANY_REASON,
);

export interface MemcachedOptions {
  /** Beyond those that place it. `-M`: refuse, not evict. */
  readonly args?: readonly string[];
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A memcached of the test's own. */
export async function startMemcached(
  t: Pick<TestContext, 'after'>,
  { args = ['-M', '-m', '256'], port, env = {} }: MemcachedOptions = {},
): Promise<TestServer> {
  if (PROGRAM === undefined) throw new Error(REASON);
  const chosen = port ?? (await freePort());
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  return startTestServer(t, {
    program: PROGRAM,
    args: ['-l', '127.0.0.1', '-p', String(chosen), '-U', '0', ...user, ...args],
    port: chosen,
    env,
  });
}

/** Servers that the test neither stops nor fills: its own `count` from PATH, else those of MEMCACHED_TEST_HOSTS. */
export async function anyMemcached(
  t: Pick<TestContext, 'after'>,
  count: number,
  options: MemcachedOptions = {},
): Promise<readonly HostAndPort[]> {
  if (PROGRAM !== undefined) {
    const servers = await Promise.all(Array.from({ length: count }, () => startMemcached(t, options)));
    return servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  }
  if (NAMED.MEMCACHED_TEST_HOSTS === undefined) throw new Error(ANY_REASON);
  return NAMED.MEMCACHED_TEST_HOSTS.slice(0, count);
}
