/** The store while this process owns it, served over RPC. */
import type http from 'node:http';
import { diskUsageOf } from '@zenko-modules/common/disk-usage';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { type RpcServer, startRpcServer } from '@zenko-modules/rpc/server';
import type { LevelDown } from './leveldowns/plugin.js';
import type { MetadataMetrics } from './metadata-metrics.js';
import type { MetadataSettings } from './metadata-settings.js';
import { MetadataStore } from './metadata-store.js';

export interface ServingOptions {
  readonly level: LevelDown;
  readonly settings: MetadataSettings;
  readonly folder: string;
  /** See `MetadataStoreOptions`. */
  readonly uuidFolder: string | undefined;
  readonly metrics: MetadataMetrics;
  readonly log: Logger;
  /** Where connections come from, see `RpcServerOptions`; without it METADATA_PORT. */
  readonly bind?: ((server: http.Server) => number) | undefined;
  /** Told when this process has lost the store. */
  readonly onLost: (err: Error) => void;
}

export class Serving {
  readonly store: MetadataStore;
  readonly rpc: RpcServer;
  readonly #level: LevelDown;
  readonly #log: Logger;

  private constructor(store: MetadataStore, rpc: RpcServer, { level, log }: ServingOptions) {
    this.store = store;
    this.rpc = rpc;
    this.#level = level;
    this.#log = log;
  }

  get serving(): this {
    return this;
  }

  get port(): number {
    return this.rpc.port;
  }

  /** Resolves when a write can be taken now; rejects with the reason. */
  ready(): Promise<void> {
    return this.store.ready();
  }

  details(): Readonly<Record<string, string>> {
    return {};
  }

  /** Opens the store, then serves it. Rejects with the LevelDOWN's own error, or StartError for the port. */
  static async start(options: ServingOptions): Promise<Serving> {
    const { level, settings, folder, uuidFolder, metrics, log, bind, onLost } = options;
    const store = await MetadataStore.open({
      level,
      log,
      uuidFolder,
      acceptLoss: settings.METADATA_ACCEPT_LOSS,
      maxRecords: settings.RECORD_LOG_MAX_RECORDS,
      cacheBytes: settings.METADATA_CACHE_BYTES,
      observer: metrics.batchWritten,
      onLost,
    });
    try {
      const rpc = await startRpcServer({
        address: settings.LISTEN_ADDRESS,
        port: settings.METADATA_PORT,
        portSetting: 'METADATA_PORT',
        bind,
        services: store.services(() => diskUsageOf(folder)),
        log,
        observer: metrics,
      });
      return new Serving(store, rpc, options);
    } catch (err) {
      await store.close();
      throw err;
    }
  }

  /**
   * Answers what is in flight, then closes the store. Each takes a part of `graceMs`, and what is left then is
   * told of in the log. Resolves with whether the LevelDOWN is closed, and may be opened again.
   * @param options see `OpenLevel.close`
   */
  async close(graceMs: number, options: { readonly isLost?: boolean } = {}): Promise<boolean> {
    this.store.stop();
    try {
      await withDeadline(this.rpc.close(), graceMs / 2, 'answering what is in flight');
    } catch (err) {
      this.#log.error({ err }, 'calls in flight are left unanswered');
    }
    await this.store.close(graceMs / 3, options);
    return this.#level.status === 'closed';
  }
}
