/** The populator as a process: what it opens, in which order, and how it ends. */
import path from 'node:path';
import { linkSignals } from '@zenko-modules/common/abort';
import { refuseOnAnyNode } from '@zenko-modules/common/any-node';
import type { Running } from '@zenko-modules/common/daemon';
import { openPartFolder } from '@zenko-modules/common/data-folder';
import { sleep } from '@zenko-modules/common/deadline';
import { httpUrl } from '@zenko-modules/common/http-url';
import type { Logger } from '@zenko-modules/common/logger';
import { moduleAddress } from '@zenko-modules/common/network/module-address';
import { openTlsClient } from '@zenko-modules/common/network/tls-settings';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import { RpcClient } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import type { Environment } from '@zenko-modules/common/settings';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import type { Extension } from '../contract/extension.js';
import { createPopulatorMetrics } from '../extension-metrics.js';
import type { PopulatorSettings } from '../extension-settings.js';
import { POPULATOR_CHARTS, populatorTables } from '../extension-status.js';
import { acquireLease, type Lease } from '../files/lease.js';
import { tellConfiguration } from '../loader/tell-configuration.js';
import { groupOf, type LoadedExtensions, loadExtensions } from '../loader/load-extensions.js';
import { openQueue, queuePlace } from '../queue/open-queue.js';
import type { Queue } from '../queue/queue.js';
import { createFilter } from './create-filter.js';
import { type CursorPlace, Cursors } from './cursor.js';
import { CursorFiles } from './cursor-files.js';
import { holdReader } from './held-reader.js';
import { Populator } from './populator.js';
import { RecordLogReader } from './record-log-reader.js';
import type { TopicReader } from './unread-topics.js';

const CALL_TIMEOUT_MS = 10_000;
/** Less than a lease: one that is not answered must not cost it. */
const LEASE_CALL_TIMEOUT_MS = 2000;
const RESTART_AFTER_MS = 1000;

/** Listens at once; follows the log when the metadata module and the queue are there. @param bundled extensions that we ship */
export async function startPopulator(
  settings: PopulatorSettings,
  log: Logger,
  bundled: readonly Extension[],
  env: Environment = process.env,
): Promise<Running> {
  const extensions = await loadExtensions(settings, env, bundled);
  if (extensions.kafkaHosts === undefined)
    refuseOnAnyNode(settings.MODULES_ON, 'the embedded queue (no KAFKA_HOSTS)');
  if (settings.POPULATOR_OFFSETS === 'folder')
    refuseOnAnyNode(settings.MODULES_ON, 'POPULATOR_OFFSETS=folder');
  tellConfiguration(extensions, env, log);
  const folder = path.join(await openPartFolder(settings.DATA_DIR, 'extensions'), 'populator');
  await makeFolder(folder);
  const filters = [...extensions.active.values()]
    .map(active => createFilter(active, log))
    .filter(filter => filter !== undefined);
  const files = new CursorFiles(folder);
  await Cursors.load(
    files,
    filters.map(({ name }) => name),
  );
  const { METADATA_HOST, METADATA_PORT, METADATA_TLS_PORT } = settings;
  const tls = await openTlsClient(settings, { METADATA_TLS_PORT }, log);
  const queue = await openQueue(settings, extensions.kafkaHosts, log);
  const { host, port } = moduleAddress(METADATA_HOST, METADATA_PORT, METADATA_TLS_PORT, tls);
  const url = httpUrl(host, port, tls && 'https');
  const client = new RpcClient({
    url,
    tls,
    namespace: RECORD_LOG_NAMESPACE,
    callTimeoutMs: CALL_TIMEOUT_MS,
  });
  const registry = createRegistry();
  createVolumeMetrics(registry, folder);
  const metrics = createPopulatorMetrics(registry);
  const populator = new Populator({
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
    batchRecords: settings.POPULATOR_BATCH_RECORDS,
    metrics,
    log,
  });
  /** Who works while this one stands by for it. */
  let worksElsewhere: string | undefined;
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.POPULATOR_PROBE_PORT,
    portSetting: 'POPULATOR_PROBE_PORT',
    registry,
    ready: async () => {
      if (worksElsewhere !== undefined) return;
      if (populator.trouble !== undefined) throw new Error(populator.trouble);
      await queue.ready();
    },
    details: () =>
      worksElsewhere === undefined ? { role: 'working' } : { role: 'stand-by', working: worksElsewhere },
    status: {
      part: 'populator',
      charts: POPULATOR_CHARTS,
      peers: settings.STATUS_PARTS,
      tables: () => populatorTables(worksElsewhere === undefined ? metrics.state() : undefined),
    },
  });
  prepareTopics(queue, extensions, log);
  const stop = new AbortController();
  const leases = new RpcClient({
    url,
    tls,
    namespace: RECORD_LOG_NAMESPACE,
    callTimeoutMs: LEASE_CALL_TIMEOUT_MS,
  });
  const acquire = async (): Promise<Acquired | undefined> => {
    if (settings.POPULATOR_OFFSETS === 'metadata') {
      const held = await holdReader({
        client: leases,
        name: settings.POPULATOR_NAME,
        before: files,
        onWaiting: holder => {
          worksElsewhere = holder;
        },
        log,
        signal: stop.signal,
      });
      worksElsewhere = undefined;
      return held && { lease: held, place: held };
    }
    const file = path.join(folder, 'lease');
    const lease = await acquireLease({ file, what: 'the record log', log, signal: stop.signal });
    return lease && { lease, place: files };
  };
  const running = runAlone(populator, acquire, stop.signal, log);
  return {
    ports: { POPULATOR_PROBE_PORT: probes.port },
    uses: {
      reader: settings.POPULATOR_NAME,
      log: url,
      offsets: settings.POPULATOR_OFFSETS === 'metadata' ? url : folder,
      queue: queuePlace(settings, extensions.kafkaHosts),
      extensions: filters.map(filter => filter.name),
      batchRecords: settings.POPULATOR_BATCH_RECORDS,
    },
    close: async () => {
      stop.abort();
      client.close();
      await running;
      leases.close();
      tls?.close();
      await queue.close();
      await probes.close();
    },
  };
}

/** The right to work alone, and where the offsets are kept meanwhile. */
interface Acquired {
  readonly lease: Lease;
  readonly place: CursorPlace;
}

/** Two populators of one log would each publish everything: the second one stands by. */
async function runAlone(
  populator: Populator,
  acquire: () => Promise<Acquired | undefined>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const acquired = await acquire();
      if (!acquired) return;
      const { lease, place } = acquired;
      const leave = linkSignals(signal, lease.lost);
      try {
        await populator.run(place, lease, leave.signal);
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
