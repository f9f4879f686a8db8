import { openPartFolder } from '@zenko-modules/common/data-folder';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type Environment, readSettings, type SettingsTable } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { Registry } from 'prom-client';
import type { DataStore } from '../data-store.js';
import { newBlobKey } from './blob-key.js';
import type { StorePlugin, WorkerPlace } from './plugin.js';

export interface OpenOptions {
  readonly dataDir: string;
  /** Where the store's own settings come from. */
  readonly env: Environment;
  readonly log: Logger;
  /** Left out: one that nobody reads. */
  readonly registry?: Registry;
  /** Left out: the only one. */
  readonly worker?: WorkerPlace;
}

/**
 * Opens a store, without its layer.
 * @throws StartError, SettingsError for what the person who starts can mend.
 */
export async function openStore<T extends SettingsTable>(
  plugin: StorePlugin<T>,
  { dataDir, env, log, registry = new Registry(), worker = { index: 0, count: 1 } }: OpenOptions,
): Promise<DataStore> {
  return plugin.open({
    settings: readSettings(plugin.settings, env),
    env,
    openFolder: part => openPartFolder(dataDir, part),
    log,
    registry,
    worker,
    tools: { CatalogueError, StartError, newBlobKey },
  });
}

const DEFAULT_TRANSFER_MEMORY_BYTES = 1024 * 1024;

/** What one transfer through the store holds in memory at most, in bytes. */
export function transferMemoryOf<T extends SettingsTable>(plugin: StorePlugin<T>, env: Environment): number {
  return plugin.transferMemoryBytes?.(readSettings(plugin.settings, env)) ?? DEFAULT_TRANSFER_MEMORY_BYTES;
}
