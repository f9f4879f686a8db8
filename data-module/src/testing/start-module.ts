/**
 * A data module on ports of the system's choice. It runs inside the test's own process, and with `DATA_WORKERS` of more than
 * one its workers beside it. `TEST_DATA_WORKERS` says how many where a test does not.
 */
import type { TestContext } from 'node:test';
import type { Running } from '@zenko-modules/common/daemon';
import { type Logger, silentLogger } from '@zenko-modules/common/logger';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { startDataModule } from '../data-module.js';
import { DATA_SETTINGS } from '../data-settings.js';

export interface StartedModule extends Running {
  readonly port: number;
  readonly probePort: number;
  readonly url: string;
}

/** It is closed when the test ends, if the test has not closed it. */
export async function startTestModule(
  t: Pick<TestContext, 'after'>,
  env: Environment,
  log: Logger = silentLogger(),
): Promise<StartedModule> {
  const all = {
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    STOP_GRACE_MS: '2000',
    DATA_WORKERS: process.env.TEST_DATA_WORKERS ?? '1',
    // Of workers; they do not know the logger of the test.
    LOG_LEVEL: 'silent',
    ...env,
  };
  const running = await startDataModule(readSettings(DATA_SETTINGS, all), log, all);
  const port = running.ports.DATA_PORT ?? 0;
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= running.close());
  t.after(close);
  return {
    ports: running.ports,
    port,
    probePort: running.ports.DATA_PROBE_PORT ?? 0,
    url: `http://127.0.0.1:${port}`,
    close,
  };
}
