/** The part of the module that serves requests: a store, and the REST server before it. A process has one. */
import type { Logger } from '@zenko-modules/common/logger';
import type { Environment, SettingsOf } from '@zenko-modules/common/settings';
import type { Registry } from 'prom-client';
import { BackgroundScrub, createScrubMetrics } from './background-scrub.js';
import { createDataMetrics } from './data-metrics.js';
import type { DATA_SETTINGS } from './data-settings.js';
import { startRestServer } from './rest/rest-server.js';
import { openStore, transferMemoryOf } from './stores/open-store.js';
import type { StorePlugin, WorkerPlace } from './stores/plugin.js';
import { StoreLayer } from './stores/store-layer.js';
import { TransferMemory } from './transfer-memory.js';

/** The part of the grace period that requests in flight get; the rest is for closing the store. */
const REQUESTS_SHARE = 0.75;

export interface DataServiceOptions {
  readonly plugin: StorePlugin;
  readonly settings: SettingsOf<typeof DATA_SETTINGS>;
  readonly env: Environment;
  readonly worker: WorkerPlace;
  readonly registry: Registry;
  readonly log: Logger;
}

export interface DataService {
  /** By setting name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Rejects with the reason when an upload could not succeed now. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** @throws StartError, SettingsError for what the person who starts can mend. */
export async function startDataService(options: DataServiceOptions): Promise<DataService> {
  const { plugin, settings, env, worker, registry, log } = options;
  const opened = await openStore(plugin, { dataDir: settings.DATA_DIR, env, log, registry, worker });
  const metrics = createDataMetrics(registry);
  const store = new StoreLayer(opened, (operation, outcome, seconds) =>
    metrics.storeSeconds.observe({ operation, outcome }, seconds),
  );
  const share = (whole: number): number => Math.ceil(whole / worker.count);
  try {
    const rest = await startRestServer({
      store,
      memory: new TransferMemory(share(settings.DATA_MEMORY_BYTES)),
      transferMemoryBytes: transferMemoryOf(plugin, env),
      settings: { ...settings, DATA_MAX_CONNECTIONS: share(settings.DATA_MAX_CONNECTIONS) },
      metrics,
      log,
    });
    const scrubMetrics = createScrubMetrics(registry);
    const scrub =
      settings.SCRUB_MB_PER_SECOND > 0 && worker.index === 0
        ? BackgroundScrub.start({
            store: new StoreLayer(opened),
            bytesPerSecond: settings.SCRUB_MB_PER_SECOND * 1e6,
            metrics: scrubMetrics,
            log,
          })
        : undefined;
    return {
      ports: rest.ports,
      ping: () => store.ping(),
      close: async () => {
        scrub?.close();
        await rest.close(settings.STOP_GRACE_MS * REQUESTS_SHARE);
        await store.close();
      },
    };
  } catch (err) {
    await store.close();
    throw err;
  }
}
