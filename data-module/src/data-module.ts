/** The data module: one or several workers that serve requests, and the probe server beside them. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { refuseOnAnyNode } from '@zenko-modules/common/any-node';
import type { Running } from '@zenko-modules/common/daemon';
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry, type MetricsSource, startProbeServer } from '@zenko-modules/common/probe-server';
import type { Environment, SettingsOf } from '@zenko-modules/common/settings';
import { shownSettings } from '@zenko-modules/common/shown-settings';
import { refuseUnread } from '@zenko-modules/common/unread-settings';
import { valueText } from '@zenko-modules/common/status/chart';
import { DATA_CHARTS } from './data-status.js';
import type { DATA_SETTINGS } from './data-settings.js';
import { startDataService } from './data-service.js';
import type { StorePlugin } from './stores/plugin.js';
import { loadStore, SHIPPED } from './stores/registry.js';
import { startWorkers } from './workers/worker-pool.js';

/** More workers than this by default would take memory from what else runs on a large machine. */
const MOST_WORKERS_BY_DEFAULT = 4;

/** What serves the requests, in this process or in others. */
interface Serving {
  /** By setting name. */
  readonly ports: Readonly<Record<string, number>>;
  readonly metrics: MetricsSource;
  ping(): Promise<void>;
  close(): Promise<void>;
}

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
  if (plugin.keepsFiles === true) refuseOnAnyNode(settings.MODULES_ON, `DATA_BACKEND=${plugin.name}`);
  refuseUnread({ setting: 'DATA_BACKEND', chosen: plugin, choices: SHIPPED }, env);
  const count = workersOf(plugin, settings.DATA_WORKERS, log);
  const serving =
    count === 1
      ? await serveHere(plugin, settings, log, env)
      : await startWorkers({ count, settings, registry: createRegistry(), env, log });
  const state = { closing: false };
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.DATA_PROBE_PORT,
    portSetting: 'DATA_PROBE_PORT',
    registry: serving.metrics,
    ready: () => (state.closing ? Promise.reject(new Error('stopping')) : serving.ping()),
    status: {
      part: 'data-module',
      charts: DATA_CHARTS,
      peers: settings.STATUS_PARTS,
      tables: () => [
        {
          title: 'Store',
          columns: ['store', 'processes', 'memory of transfers'],
          rows: [[plugin.name, count, valueText(settings.DATA_MEMORY_BYTES, 'bytes')]],
          empty: '',
        },
      ],
    },
  }).catch(async (err: unknown) => {
    await serving.close();
    throw err;
  });
  return {
    ports: { ...serving.ports, DATA_PROBE_PORT: probes.port },
    uses: {
      store: plugin.name,
      dataDir: path.resolve(settings.DATA_DIR),
      workers: count,
      memoryBytes: settings.DATA_MEMORY_BYTES,
      maxConnections: settings.DATA_MAX_CONNECTIONS,
      scrubMbPerSecond: settings.SCRUB_MB_PER_SECOND,
      ...shownSettings(plugin.settings, env),
    },
    close: async () => {
      state.closing = true;
      await serving.close();
      await probes.close();
    },
  };
}

function workersOf(plugin: StorePlugin, wanted: number | undefined, log: Logger): number {
  const count = wanted ?? Math.min(availableParallelism(), MOST_WORKERS_BY_DEFAULT);
  if (count === 1 || plugin.servesSeveralWorkers === true) return count;
  if (wanted !== undefined)
    log.warn({ wanted }, `DATA_WORKERS: the store ${plugin.name} serves one process only`);
  return 1;
}

async function serveHere(
  plugin: StorePlugin,
  settings: SettingsOf<typeof DATA_SETTINGS>,
  log: Logger,
  env: Environment,
): Promise<Serving> {
  const metrics = createRegistry();
  const worker = { index: 0, count: 1 };
  const service = await startDataService({ plugin, settings, env, worker, registry: metrics, log });
  return { ...service, metrics };
}
