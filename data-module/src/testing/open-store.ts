import { openPartFolder } from '@zenko-modules/common/data-folder';
import { type Logger, silentLogger } from '@zenko-modules/common/logger';
import { type Environment, readSettings, type SettingsTable } from '@zenko-modules/common/settings';
import type { DataStore } from '../data-store.js';
import type { StorePlugin } from '../stores/plugin.js';

/** A store alone, opened as the module opens it, its settings and DATA_DIR read from `env`. */
export function openTestStore<T extends SettingsTable>(
  plugin: StorePlugin<T>,
  env: Environment,
  log: Logger = silentLogger(),
): Promise<DataStore> {
  return plugin.open({
    settings: readSettings(plugin.settings, env),
    openFolder: part => openPartFolder(env.DATA_DIR ?? '', part),
    log,
  });
}
