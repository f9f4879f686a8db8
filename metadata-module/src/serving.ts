/** The store while this process owns it, served over RPC. */
import type http from 'node:http';
import { diskUsageOf } from '@zenko-modules/common/disk-usage';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { ServerPorts } from '@zenko-modules/common/network/server-ports';
import { type RpcServer, startRpcServer } from '@zenko-modules/rpc/server';
import type { LevelDown } from './leveldowns/plugin.js';
import type { MetadataMetrics } from './metadata-metrics.js';
import type { MetadataSettings } from './metadata-settings.js';
import { MetadataStore, type MetadataStoreOptions } from './metadata-store.js';

export interface ServingOptions {
  readonly level: LevelDown;
  readonly settings: MetadataSettings;
  readonly folder: string;
  /** See `MetadataStoreOptions`. */
  readonly uuidFolder: string | undefined;
  readonly noteFolder: string | undefined;
  readonly foreign?: MetadataStoreOptions['foreign'];
  readonly atRest?: MetadataStoreOptions['atRest'];
  readonly metrics: MetadataMetrics;
  readonly log: Logger;
  /** Gives the server its connections. */
  readonly openPorts: (server: http.Server) => Promise<ServerPorts> | ServerPorts;
  /** Told when this process has lost the store. */
  readonly onLost: (err: Error) => void;
}

export class Serving {
  readonly store: MetadataStore;
  readonly rpc: RpcServer;
  readonly #opened: ServerPorts;
  readonly #level: LevelDown;
  readonly #log: Logger;

  private constructor(
    store: MetadataStore,
    rpc: RpcServer,
    opened: ServerPorts,
    { level, log }: ServingOptions,
  ) {
    this.store = store;
    this.rpc = rpc;
    this.#opened = opened;
    this.#level = level;
    this.#log = log;
  }

  get serving(): this {
    return this;
  }

  /** By setting name. */
  get ports(): Readonly<Record<string, number>> {
    return this.#opened.ports;
  }

  /** Resolves when a write can be taken now; rejects with the reason. */
  ready(): Promise<void> {
    return this.store.ready();
  }

  details(): Readonly<Record<string, string>> {
    return {};
  }

  /** Opens the store, then serves it. Rejects with the LevelDOWN's own error, or StartError for a port. */
  static async start(options: ServingOptions): Promise<Serving> {
    const { level, settings, folder, uuidFolder, noteFolder, metrics, log, openPorts, onLost } = options;
    const store = await MetadataStore.open({
      level,
      log,
      uuidFolder,
      noteFolder,
      foreign: options.foreign,
      atRest: options.atRest,
      acceptLoss: settings.METADATA_ACCEPT_LOSS,
      maxRecords: settings.RECORD_LOG_MAX_RECORDS,
      cacheBytes: settings.METADATA_CACHE_BYTES,
      observer: metrics.batchWritten,
      onLost,
    });
    try {
      let opened: ServerPorts = { ports: {}, shutTls: () => Promise.resolve() };
      const rpc = await startRpcServer({
        address: settings.LISTEN_ADDRESS,
        port: settings.METADATA_PORT,
        portSetting: 'METADATA_PORT',
        bind: async server => {
          opened = await openPorts(server);
          return opened.ports['METADATA_PORT'] ?? 0;
        },
        services: store.services(() => diskUsageOf(folder)),
        log,
        observer: metrics,
      });
      return new Serving(store, rpc, opened, options);
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
    const shut = this.#opened.shutTls();
    try {
      const answered = Promise.all([this.rpc.close(), shut]);
      await withDeadline(answered, graceMs / 2, 'answering what is in flight');
    } catch (err) {
      this.#log.error({ err }, 'calls in flight are left unanswered');
    }
    await this.store.close(graceMs / 3, options);
    return this.#level.status === 'closed';
  }
}
