/** The metadata module in the test's own process, on ports of the system's choice. */
import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startMetadataModule } from '../metadata-module.js';
import { METADATA_SETTINGS } from '../metadata-settings.js';

export interface ModuleUnderTest {
  /** Of the namespace of databases. */
  readonly metadataUrl: string;
  readonly recordLogUrl: string;
  readonly probeUrl: string;
  close(): Promise<void>;
}

/** It is closed when the test ends, unless it was before. */
export async function startModule(
  t: Pick<TestContext, 'after'>,
  env: Readonly<Record<string, string>> = {},
): Promise<ModuleUnderTest> {
  const whole = { DATA_DIR: await temporaryFolder(t), METADATA_PORT: '0', METADATA_PROBE_PORT: '0', ...env };
  const settings = readSettings(METADATA_SETTINGS, whole);
  const running = await startMetadataModule(settings, silentLogger(), whole);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= running.close());
  t.after(close);
  const url = `http://127.0.0.1:${running.ports['METADATA_PORT']}`;
  return {
    metadataUrl: url + METADATA_NAMESPACE,
    recordLogUrl: url + RECORD_LOG_NAMESPACE,
    probeUrl: `http://127.0.0.1:${running.ports['METADATA_PROBE_PORT']}`,
    close,
  };
}
