/** The metadata module as a part that starts and stops. */
import path from 'node:path';
import type { Running } from '@zenko-modules/common/daemon';
import { checkFolder, openPartFolder } from '@zenko-modules/common/data-folder';
import { withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type ProbeServer, startProbeServer } from '@zenko-modules/common/probe-server';
import { type RpcServer, startRpcServer } from '@zenko-modules/rpc/server';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { STOP_SETTINGS } from '@zenko-modules/common/shared-settings';
import { StartError } from '@zenko-modules/common/start-error';
import { diskUsageOf } from '@zenko-modules/common/disk-usage';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import { tellOfLosses } from './deployment/losses.js';
import { loadLevelDown } from './leveldowns/registry.js';
import type { LevelDownPlugin } from './leveldowns/plugin.js';
import { createMetrics } from './metadata-metrics.js';
import type { MetadataSettings } from './metadata-settings.js';
import { MetadataStore, type MetadataStoreOptions } from './metadata-store.js';
import { levelErrorCode } from './store/level-errors.js';

/**
 * Starts the module: store, RPC on METADATA_PORT, probes and metrics on METADATA_PROBE_PORT.
 * @param env holds the settings of the LevelDOWN that METADATA_BACKEND names.
 * @param stopping ends a start that waits, for another owner of the store say.
 * @throws StartError, SettingsError for what the person who starts can mend.
 */
export async function startMetadataModule(
  settings: MetadataSettings,
  log: Logger,
  env: Environment = process.env,
  stopping?: AbortSignal,
): Promise<Running> {
  const plugin = await loadLevelDown(settings.METADATA_BACKEND);
  const folder = await openFolder(settings);
  const level = await plugin.create({ settings: readSettings(plugin.settings, env), folder, log });
  const damage = (await plugin.findDamage?.(folder)) ?? [];
  const acceptLoss = settings.METADATA_ACCEPT_LOSS;
  tellOfLosses(damage, acceptLoss, log);
  let fail: ((reason: string) => void) | undefined;
  const failed = new Promise<string>(resolve => {
    fail = resolve;
  });
  let rpc: RpcServer | undefined;
  let store: MetadataStore | undefined;
  let probes: ProbeServer | undefined;
  const metrics = createMetrics(() =>
    store && rpc
      ? {
          openStreams: rpc.openStreams,
          openIterators: store.store.openIterators,
          entriesRead: store.store.entriesRead,
          firstRecord: store.recordLog.first,
          lastRecord: store.recordLog.last,
          losses: store.losses + damage.length,
        }
      : undefined,
  );
  createVolumeMetrics(metrics.registry, folder);
  const { STOP_GRACE_MS } = readSettings(STOP_SETTINGS, env);
  const close = async (): Promise<void> => {
    await probes?.close();
    store?.stop();
    try {
      await withDeadline(rpc?.close() ?? Promise.resolve(), STOP_GRACE_MS / 2, 'answering what is in flight');
    } catch (err) {
      log.error({ err }, 'calls in flight are left unanswered');
    }
    await store?.close(STOP_GRACE_MS / 3);
  };
  stopping?.addEventListener('abort', () => level.abortOpen?.());
  try {
    const opened = await openStore(plugin, {
      level,
      log,
      uuidFolder: plugin.uuidInFolder ? folder : undefined,
      acceptLoss,
      maxRecords: settings.RECORD_LOG_MAX_RECORDS,
      cacheBytes: settings.METADATA_CACHE_BYTES,
      observer: metrics.batchWritten,
      onLost: err => fail?.(err.message),
    });
    store = opened;
    probes = await startProbeServer({
      address: settings.LISTEN_ADDRESS,
      port: settings.METADATA_PROBE_PORT,
      portSetting: 'METADATA_PROBE_PORT',
      registry: metrics.registry,
      ready: () => opened.ready(),
    });
    rpc = await startRpcServer({
      address: settings.LISTEN_ADDRESS,
      port: settings.METADATA_PORT,
      portSetting: 'METADATA_PORT',
      services: opened.services(() => diskUsageOf(folder)),
      log,
      observer: metrics,
    });
    return {
      ports: { METADATA_PORT: rpc.port, METADATA_PROBE_PORT: probes.port },
      failed,
      close,
    };
  } catch (err) {
    await close();
    throw err;
  }
}

async function openFolder({ METADATA_PATH, DATA_DIR }: MetadataSettings): Promise<string> {
  if (METADATA_PATH === undefined) return openPartFolder(DATA_DIR, 'metadata');
  await checkFolder('METADATA_PATH', METADATA_PATH);
  return path.resolve(METADATA_PATH);
}

async function openStore(plugin: LevelDownPlugin, options: MetadataStoreOptions): Promise<MetadataStore> {
  try {
    return await MetadataStore.open(options);
  } catch (err) {
    if (!(err instanceof Error) || err instanceof StartError) throw err;
    const explained =
      plugin.explain?.(err) ??
      (levelErrorCode(err) === undefined ? undefined : `METADATA_BACKEND: ${plugin.name}: ${messageOf(err)}`);
    if (explained === undefined) throw err;
    throw new StartError(explained, { cause: err });
  }
}
