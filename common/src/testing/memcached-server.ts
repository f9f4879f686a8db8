import type { TestContext } from 'node:test';
import { findInPath, freePort, skipReason, startTestServer, type TestServer } from './test-server.js';

const PROGRAM = findInPath('memcached');

const REASON = 'needs memcached in PATH (Debian: apt-get install memcached)';

/** Why tests that need memcached cannot run here, as node:test's `skip` takes it; `false` when they can, or must. */
export const memcachedMissing: string | false = skipReason(PROGRAM !== undefined, REASON);

/** A memcached of the test's own. `-M` (refuse, not evict) unless `args` say otherwise. */
export async function startMemcached(
  t: Pick<TestContext, 'after'>,
  { args = ['-M', '-m', '256'], port }: { args?: readonly string[]; port?: number } = {},
): Promise<TestServer> {
  if (PROGRAM === undefined) throw new Error(REASON);
  const chosen = port ?? (await freePort());
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  return startTestServer(t, {
    program: PROGRAM,
    args: ['-l', '127.0.0.1', '-p', String(chosen), '-U', '0', ...user, ...args],
    port: chosen,
  });
}
