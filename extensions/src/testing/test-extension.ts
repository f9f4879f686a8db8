/** For the tests of extensions: loads one as populator and processor do. */
import { silentLogger } from '@zenko-modules/common/logger';
import { readConfiguration } from '../framework/config/backbeat-config.js';
import {
  type LogEntry,
  type Publication,
  runFilter,
} from '../framework/contract/queue-populator-extension.js';
import { readSettings } from '@zenko-modules/common/settings';
import { QUEUE_SETTINGS, CONFIG_SETTINGS } from '../framework/extension-settings.js';
import { activate, loadExtension } from '../framework/loader/load-extensions.js';

export interface TestedExtension {
  /** The section as the validator returned it. */
  readonly config: unknown;
  /** What the filter publishes for an entry; rejects with what it throws. */
  readonly filter: (entry: Omit<LogEntry, 'timestamp'>) => Promise<readonly Publication[]>;
}

/** @throws StartError when the extension cannot be loaded, or refuses `section`. */
export async function testExtension(
  file: string,
  section: Record<string, unknown>,
): Promise<TestedExtension> {
  const extension = await loadExtension(file);
  const raw = { extensions: { [extension.name]: section } };
  const env = { BACKBEAT_CONFIG: JSON.stringify(raw) };
  const settings = readSettings({ ...CONFIG_SETTINGS, ...QUEUE_SETTINGS }, env);
  const { config: backbeatConfig } = readConfiguration(settings, env, [extension.name]);
  const { config } = activate(extension, section, backbeatConfig, 'test');
  const Filter = extension.queuePopulatorExtension;
  const filter = Filter && new Filter({ config: config as never, logger: silentLogger() });
  return {
    config,
    filter: async entry =>
      filter ? runFilter(filter, { timestamp: new Date().toISOString(), ...entry }) : [],
  };
}
