/** The data module: a store, the REST server before it, and the probe server beside it. */
import type { Running } from '@zenko-modules/common/daemon';
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import type { Environment, SettingsOf } from '@zenko-modules/common/settings';
import { createDataMetrics } from './data-metrics.js';
import type { DATA_SETTINGS } from './data-settings.js';
import type { DataStore } from './data-store.js';
import { startRestServer } from './rest/rest-server.js';
import { StoreLayer } from './stores/store-layer.js';
import { openStore } from './stores/open-store.js';
import { loadStore } from './stores/registry.js';

/** The part of the grace period that requests in flight get; the rest is for closing the store. */
const REQUESTS_SHARE = 0.75;

/**
 * Opens the store that DATA_BACKEND names, its own settings read from `env`, and serves it.
 * @throws StartError, SettingsError for what the person who starts can mend.
 */
export async function startDataModule(
  settings: SettingsOf<typeof DATA_SETTINGS>,
  log: Logger,
  env: Environment = process.env,
): Promise<Running> {
  const plugin = await loadStore(settings.DATA_BACKEND);
  const opened = await openStore(plugin, { dataDir: settings.DATA_DIR, env, log });
  try {
    return await serve(opened, settings, log);
  } catch (err) {
    await opened.close();
    throw err;
  }
}

async function serve(
  opened: DataStore,
  settings: SettingsOf<typeof DATA_SETTINGS>,
  log: Logger,
): Promise<Running> {
  const registry = createRegistry();
  const metrics = createDataMetrics(registry);
  const store = new StoreLayer(opened, (operation, outcome, seconds) =>
    metrics.storeSeconds.observe({ operation, outcome }, seconds),
  );
  const rest = await startRestServer({ store, settings, metrics, log });
  const state = { closing: false };
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.DATA_PROBE_PORT,
    portSetting: 'DATA_PROBE_PORT',
    registry,
    ready: () => (state.closing ? Promise.reject(new Error('stopping')) : store.ping()),
  }).catch(async (err: unknown) => {
    await rest.close(0);
    throw err;
  });
  return {
    ports: { DATA_PORT: rest.port, DATA_PROBE_PORT: probes.port },
    close: async () => {
      state.closing = true;
      await rest.close(settings.STOP_GRACE_MS * REQUESTS_SHARE);
      await store.close();
      await probes.close();
    },
  };
}
