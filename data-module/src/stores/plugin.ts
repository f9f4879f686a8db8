/** How a store is plugged into the module: its name, its settings, and how it is opened. */
import type { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Environment, SettingsOf, SettingsTable } from '@zenko-modules/common/settings';
import type { StartError } from '@zenko-modules/common/start-error';
import type { Registry } from 'prom-client';
import type { DataStore } from '../data-store.js';

/** Which of the processes of a module opens the store. `index` counts from 0; the first opens it before the others do. */
export interface WorkerPlace {
  readonly index: number;
  readonly count: number;
}

export interface StoreContext<T extends SettingsTable> {
  readonly settings: SettingsOf<T>;
  /** The environment, for stores that read their settings themselves. */
  readonly env: Environment;
  /** Makes and checks the folder `<DATA_DIR>/<part>`, for stores that keep files. `StartError` when it cannot be used. */
  readonly openFolder: (part: string) => Promise<string>;
  readonly log: Logger;
  /** For metrics of the store's own. */
  readonly registry: Registry;
  /** The process that opens the store, for stores that serve several. */
  readonly worker: WorkerPlace;
  /** What a store that lies outside the project cannot import. */
  readonly tools: StoreTools;
}

export interface StoreTools {
  /** Errors of calls: `new CatalogueError(type, message, { cause })`. */
  readonly CatalogueError: typeof CatalogueError;
  /** Errors of `open` that the person who starts can mend. Its message is printed as the one line. */
  readonly StartError: typeof StartError;
  /** Makes a key that no blob has had. */
  readonly newBlobKey: () => string;
}

export interface StorePlugin<T extends SettingsTable = SettingsTable> {
  /** The value of DATA_BACKEND that selects it. */
  readonly name: string;
  /** Its own settings, read from the environment beside those of the module. */
  readonly settings: T;
  /** The setting that says where its blobs are: the place of `<name>:<place>` in commands. */
  readonly placeSetting?: string;
  /** Whether its blobs are in files: only the machine that has those can serve them. Left out: no. */
  readonly keepsFiles?: boolean;
  /**
   * Whether several processes may have the store open at once (`DATA_WORKERS`), each of which may be killed and opened
   * again while the others work. Left out: no, and the module uses one.
   */
  readonly servesSeveralWorkers?: boolean;
  /** What one transfer, up or down, holds in memory at most, in bytes, with these settings. Left out: 1 MiB. */
  transferMemoryBytes?(settings: SettingsOf<T>): number;
  /**
   * Opens the store. Rejects with `StartError` for what the person who starts can mend; a backend that is
   * away at the moment is no such thing: the store opens, and its calls reject with `ServiceUnavailable`.
   */
  open(context: StoreContext<T>): Promise<DataStore>;
}
