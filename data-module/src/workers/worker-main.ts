/** A worker of the data module, forked by the first process. It ends when that tells it to, or is no more. */
import { messageOf } from '@zenko-modules/common/errors';
import { createLogger, exitLogged } from '@zenko-modules/common/logger';
import { createRegistry } from '@zenko-modules/common/probe-server';
import { readSettings, SettingsError } from '@zenko-modules/common/settings';
import { LOG_SETTINGS } from '@zenko-modules/common/shared-settings';
import { StartError } from '@zenko-modules/common/start-error';
import { DATA_SETTINGS } from '../data-settings.js';
import { startDataService } from '../data-service.js';
import { loadStore } from '../stores/registry.js';
import { type FromWorker, type ToWorker, WORKER_VARIABLE, type WorkerStart } from './messages.js';

// A terminal and a supervisor signal the whole group. The first process decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);

const say = (message: FromWorker): void => void process.send?.(message);
const { ports, ...worker } = JSON.parse(process.env[WORKER_VARIABLE] ?? '') as WorkerStart;
const log = createLogger('data-module', readSettings(LOG_SETTINGS).LOG_LEVEL).child({ worker: worker.index });
try {
  const settings = { ...readSettings(DATA_SETTINGS), ...ports };
  const registry = createRegistry();
  const plugin = await loadStore(settings.DATA_BACKEND);
  const service = await startDataService({ plugin, settings, env: process.env, worker, registry, log });
  process.on('message', (message: ToWorker) => {
    if (message.ask === 'ping') {
      const { id } = message;
      service.ping().then(
        () => say({ tell: 'pong', id, reason: undefined }),
        (err: unknown) => say({ tell: 'pong', id, reason: messageOf(err) }),
      );
    } else if (message.ask === 'metrics') {
      const { id } = message;
      void registry.getMetricsAsJSON().then(metrics => say({ tell: 'metrics', id, metrics: metrics }));
    } else {
      service.close().then(
        () => exitLogged(0),
        (err: unknown) => {
          log.error({ err }, 'a worker did not stop cleanly');
          return exitLogged(1);
        },
      );
    }
  });
  say({ tell: 'listening' });
} catch (err) {
  const isKnown = err instanceof StartError || err instanceof SettingsError;
  if (!isKnown) log.error({ err }, 'a worker cannot start');
  process.send?.(
    { tell: 'failed', line: isKnown ? messageOf(err) : undefined } satisfies FromWorker,
    undefined,
    {},
    () => void exitLogged(1),
  );
}
