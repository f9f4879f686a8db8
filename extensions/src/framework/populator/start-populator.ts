/** The populator as a process: what it opens, in which order, and how it ends. */
import path from 'node:path';
import { linkSignals } from '@zenko-modules/common/abort';
import type { Running } from '@zenko-modules/common/daemon';
import { openPartFolder } from '@zenko-modules/common/data-folder';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import { RpcClient } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import type { Environment } from '@zenko-modules/common/settings';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import { createPopulatorMetrics } from '../extension-metrics.js';
import type { PopulatorSettings } from '../extension-settings.js';
import { acquireLease } from '../files/lease.js';
import { tellConfiguration } from '../loader/tell-configuration.js';
import { groupOf, type LoadedExtensions, loadExtensions } from '../loader/load-extensions.js';
import { openQueue } from '../queue/open-queue.js';
import type { Queue } from '../queue/queue.js';
import { createFilter } from './create-filter.js';
import { Cursors } from './cursor.js';
import { Populator } from './populator.js';
import { RecordLogReader } from './record-log-reader.js';
import type { TopicReader } from './unread-topics.js';

const CALL_TIMEOUT_MS = 10_000;
const RESTART_AFTER_MS = 1000;

/** Listens at once; follows the log when the metadata module and the queue are there. */
export async function startPopulator(
  settings: PopulatorSettings,
  log: Logger,
  env: Environment = process.env,
): Promise<Running> {
  const extensions = await loadExtensions(settings, env);
  tellConfiguration(extensions, env, log);
  const folder = path.join(await openPartFolder(settings.DATA_DIR, 'extensions'), 'populator');
  await makeFolder(folder);
  const filters = [...extensions.active.values()]
    .map(active => createFilter(active, log))
    .filter(filter => filter !== undefined);
  await Cursors.load(
    folder,
    filters.map(({ name }) => name),
  );
  const queue = await openQueue(settings, extensions.kafkaHosts, log);
  const client = new RpcClient({
    url: `http://${settings.METADATA_HOST}:${settings.METADATA_PORT}`,
    namespace: RECORD_LOG_NAMESPACE,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  const registry = createRegistry();
  createVolumeMetrics(registry, folder);
  const populator = new Populator({
    folder,
    reader: new RecordLogReader({
      client,
      name: settings.POPULATOR_NAME,
      batchRecords: settings.POPULATOR_BATCH_RECORDS,
      pollMs: settings.POPULATOR_POLL_MS,
    }),
    queue,
    filters,
    readers: readersOf(extensions),
    filterAttempts: settings.POPULATOR_FILTER_ATTEMPTS,
    metrics: createPopulatorMetrics(registry),
    log,
  });
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.POPULATOR_PROBE_PORT,
    portSetting: 'POPULATOR_PROBE_PORT',
    registry,
    ready: async () => {
      if (populator.trouble !== undefined) throw new Error(populator.trouble);
      await queue.ready();
    },
  });
  prepareTopics(queue, extensions, log);
  const stop = new AbortController();
  const running = runAlone(populator, folder, stop.signal, log);
  return {
    ports: { POPULATOR_PROBE_PORT: probes.port },
    close: async () => {
      stop.abort();
      client.close();
      await running;
      await queue.close();
      await probes.close();
    },
  };
}

/** Two populators on one folder would each publish everything: the second one stands by. */
async function runAlone(
  populator: Populator,
  folder: string,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const lease = await acquireLease({
        file: path.join(folder, 'lease'),
        what: 'the record log',
        log,
        signal,
      });
      if (!lease) return;
      const leave = linkSignals(signal, lease.lost);
      try {
        await populator.run(leave.signal);
      } finally {
        leave.release();
        await lease.release();
      }
    } catch (err) {
      log.error({ err }, 'the populator failed: starting it again');
      await sleep(RESTART_AFTER_MS, signal);
    }
  }
}

/** What is published makes a missing topic too: this says at the start what is wrong with those that are there. */
function prepareTopics(queue: Queue, { active }: LoadedExtensions, log: Logger): void {
  const topics = new Set([...active.values()].map(({ section }) => section.topic));
  for (const topic of topics) {
    if (topic === undefined) continue;
    queue.prepare(topic).catch((err: unknown) => log.warn({ err, topic }, 'cannot look at a topic yet'));
  }
}

function readersOf({ active }: LoadedExtensions): TopicReader[] {
  return [...active.values()].flatMap(one => {
    const { extension, section } = one;
    if (!extension.queueProcessor || section.topic === undefined) return [];
    return [{ topic: section.topic, extension: extension.name, group: groupOf(one) }];
  });
}
