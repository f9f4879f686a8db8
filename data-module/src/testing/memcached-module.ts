/** A data module over memcached, inside the test's own process. */
import type { TestContext } from 'node:test';
import type { Environment } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from './http-store.js';
import { type StartedModule, startTestModule } from './start-module.js';

export interface MemcachedModule extends StartedModule {
  readonly store: HttpStore;
  readonly env: Environment;
}

/** `ports`: of the memcached servers, all on this machine. */
export async function startMemcachedModule(
  t: TestContext,
  ports: readonly number[],
  more: Environment = {},
): Promise<MemcachedModule> {
  const env = {
    DATA_BACKEND: 'memcached',
    DATA_DIR: await temporaryFolder(t),
    MEMCACHED_HOSTS: ports.map(port => `127.0.0.1:${port}`).join(','),
    MEMCACHED_TIMEOUT_MS: '700',
    ...more,
  };
  const module = await startTestModule(t, env);
  const store = new HttpStore(module.port);
  t.after(() => store.close());
  return { ...module, store, env };
}

/** The status of the module's readiness probe. */
export async function readiness({ probePort }: StartedModule): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${probePort}/_/ready`);
  await answer.text();
  return answer.status;
}
