/** What a process says at its start about its configuration, and the log level that the configuration asks for. */
import type { Logger } from '@zenko-modules/common/logger';
import type { Environment } from '@zenko-modules/common/settings';
import type { LoadedExtensions } from './load-extensions.js';

export function tellConfiguration(loaded: LoadedExtensions, env: Environment, log: Logger): void {
  const { logLevel } = loaded.config.log;
  if (logLevel !== undefined && !env.LOG_LEVEL) log.level = logLevel;
  for (const warning of loaded.warnings) log.warn(warning);
  const queue = loaded.kafkaHosts?.map(({ host, port }) => `${host}:${port}`) ?? 'files';
  log.info({ configuration: loaded.source, extensions: [...loaded.active.keys()], queue }, 'configured');
}
