/** Where the modules are, and what is shown to them. */
import { silentLogger } from '@zenko-modules/common/logger';
import { type ModuleAddress, moduleAddress } from '@zenko-modules/common/network/module-address';
import { openTlsClient } from '@zenko-modules/common/network/tls-settings';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { TOOLS_SETTINGS } from './settings.js';

export interface Modules {
  readonly metadata: ModuleAddress;
  readonly data: ModuleAddress;
}

/** Connections can be made while `work` goes on. */
export async function withModules<T>(env: Environment, work: (modules: Modules) => Promise<T>): Promise<T> {
  const settings = readSettings(TOOLS_SETTINGS, env);
  const { METADATA_TLS_PORT, DATA_TLS_PORT } = settings;
  const tls = await openTlsClient(settings, { METADATA_TLS_PORT, DATA_TLS_PORT }, silentLogger());
  try {
    return await work({
      metadata: moduleAddress(settings.METADATA_HOST, settings.METADATA_PORT, METADATA_TLS_PORT, tls),
      data: moduleAddress(settings.DATA_HOST, settings.DATA_PORT, DATA_TLS_PORT, tls),
    });
  } finally {
    tls?.close();
  }
}
