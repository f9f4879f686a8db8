import { openPartFolder } from '@zenko-modules/common/data-folder';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type Environment, readSettings, type SettingsTable } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import type { DataStore } from '../data-store.js';
import { newBlobKey } from './blob-key.js';
import type { StorePlugin } from './plugin.js';

export interface OpenOptions {
  readonly dataDir: string;
  /** Where the store's own settings come from. */
  readonly env: Environment;
  readonly log: Logger;
}

/**
 * Opens a store, without its layer.
 * @throws StartError, SettingsError for what the person who starts can mend.
 */
export async function openStore<T extends SettingsTable>(
  plugin: StorePlugin<T>,
  { dataDir, env, log }: OpenOptions,
): Promise<DataStore> {
  return plugin.open({
    settings: readSettings(plugin.settings, env),
    env,
    openFolder: part => openPartFolder(dataDir, part),
    log,
    tools: { CatalogueError, StartError, newBlobKey },
  });
}
