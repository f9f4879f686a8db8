/** The metadata module as a part that starts and stops. */
import path from 'node:path';
import { refuseOnAnyNode } from '@zenko-modules/common/any-node';
import type { Running } from '@zenko-modules/common/daemon';
import { checkFolder, openPartFolder } from '@zenko-modules/common/data-folder';
import { messageOf } from '@zenko-modules/common/errors';
import { type Logger, silentLogger } from '@zenko-modules/common/logger';
import type { PlannedPort, PortPlan } from '@zenko-modules/common/network/port-plan';
import { Refusals } from '@zenko-modules/common/network/refusals';
import { openServerPorts } from '@zenko-modules/common/network/server-ports';
import { startProbeServer } from '@zenko-modules/common/probe-server';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { shownSettings } from '@zenko-modules/common/shown-settings';
import { STOP_SETTINGS } from '@zenko-modules/common/shared-settings';
import { StartError } from '@zenko-modules/common/start-error';
import { isSet, refuseUnread } from '@zenko-modules/common/unread-settings';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import { findForeignWrites, type ForeignWrites } from './deployment/foreign-writes.js';
import { BRING_BACK, tellOfLosses } from './deployment/losses.js';
import { readAcknowledged } from './deployment/newest-record.js';
import { readUuidFile } from './deployment/uuid.js';
import { LEVELDOWNS, loadLevelDown } from './leveldowns/registry.js';
import { LEVEL_ERRORS, type LevelDown, type LevelDownPlugin, type StoreAtRest } from './leveldowns/plugin.js';
import { createMetrics, type MetadataState } from './metadata-metrics.js';
import { type MetadataSettings, planMetadataPorts } from './metadata-settings.js';
import { METADATA_CHARTS, metadataTables } from './metadata-status.js';
import { Serving, type ServingOptions } from './serving.js';
import { addressText, type AdvertisedHost, advertisedAddress } from './stand-by/address.js';
import { Doors } from './stand-by/doors.js';
import { StandBy, type StandByOptions } from './stand-by/stand-by.js';
import { levelErrorCode, rootOf } from './store/level-errors.js';

/**
 * Starts the module: probes and metrics on METADATA_PROBE_PORT, the store, and RPC on METADATA_PORT. Over a store
 * that waits for its owner it has started when it owns the store, or stands by for it.
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
  const plan = planMetadataPorts(settings);
  const plugin = await loadLevelDown(settings.METADATA_BACKEND);
  if (plugin.keepsFiles === true) refuseOnAnyNode(settings.MODULES_ON, `METADATA_BACKEND=${plugin.name}`);
  // The stack file sets it, whichever LevelDOWN is chosen.
  const preset = ['MONGODB_IN_USE'];
  refuseUnread({ setting: 'METADATA_BACKEND', chosen: plugin, choices: LEVELDOWNS, preset }, env);
  const folder = await openFolder(settings);
  const level = await plugin.create({ settings: readSettings(plugin.settings, env), folder, log });
  refuseWithoutEffect(plugin, level, env);
  const damage = (await plugin.findDamage?.(folder)) ?? [];
  tellOfLosses(damage, settings.METADATA_ACCEPT_LOSS, log);
  if (damage.length > 0 && (await plugin.salvage?.(folder)) === true)
    log.warn({ store: plugin.name, folder }, 'the damaged store was made anew from what is left of it');
  const foreign = damage.length > 0 ? undefined : await foreignWrites(plugin, folder, log);
  let fail: ((reason: string) => void) | undefined;
  const failed = new Promise<string>(resolve => {
    fail = resolve;
  });
  let part: Part | undefined;
  const state = (): MetadataState | undefined => stateOf(part?.serving, damage.length);
  const metrics = createMetrics(state);
  createVolumeMetrics(metrics.registry, folder);
  const { STOP_GRACE_MS } = readSettings(STOP_SETTINGS, env);
  const { LISTEN_ADDRESS, METADATA_PROBE_PORT } = settings;
  const probes = await startProbeServer({
    address: LISTEN_ADDRESS,
    port: METADATA_PROBE_PORT,
    portSetting: 'METADATA_PROBE_PORT',
    registry: metrics.registry,
    ready: async () => {
      if (part === undefined) throw new Error('the store is being opened');
      await part.ready();
    },
    details: () => part?.details() ?? {},
    status: {
      part: 'metadata-module',
      charts: METADATA_CHARTS,
      peers: settings.STATUS_PARTS,
      tables: () => metadataTables(plugin.name, state()),
    },
  });
  stopping?.addEventListener('abort', () => level.abortOpen?.());
  const uuidFolder = plugin.uuidInFolder ? folder : undefined;
  const noteFolder = plugin.keepsFiles ? folder : undefined;
  const { atRest: readAtRest } = plugin;
  const atRest = readAtRest && ((): Promise<StoreAtRest | undefined> => readAtRest(folder));
  const parts = { level, settings, folder, uuidFolder, noteFolder, foreign, atRest, metrics, log };
  const refusals = new Refusals(log, metrics.refusedConnections);
  const onFailed = (err: unknown): void => fail?.(messageOf(err));
  try {
    if (level.waitsForOwner) {
      const doors = await Doors.open({ plan, refusals, log });
      const address = addressOf(doors, plan, settings);
      const serve: StandByOptions['serve'] = term => Serving.start({ ...parts, ...term });
      part = await StandBy.start({ level, address, doors, log, serve, onFailed });
    } else {
      const openPorts: ServingOptions['openPorts'] = server =>
        openServerPorts({ plan, server, refusals, log });
      part = await Serving.start({ ...parts, openPorts, onLost: onFailed });
    }
  } catch (err) {
    await probes.close();
    throw explain(plugin, err);
  }
  return {
    ports: { ...part.ports, METADATA_PROBE_PORT: probes.port },
    uses: {
      store: plugin.name,
      folder,
      recordLogMaxRecords: settings.RECORD_LOG_MAX_RECORDS,
      cacheBytes: settings.METADATA_CACHE_BYTES,
      ...part.details(),
      ...shownSettings(plugin.settings, env),
    },
    failed,
    close: async () => {
      await probes.close();
      await part.close(STOP_GRACE_MS);
    },
  };
}

async function foreignWrites(
  { atRest }: LevelDownPlugin,
  folder: string,
  log: Logger,
): Promise<ForeignWrites | undefined> {
  const uuid = atRest && (await readUuidFile(folder));
  if (atRest === undefined || uuid === undefined) return undefined;
  // The start reads it too, and tells when it cannot.
  const closed = (await readAcknowledged(folder, uuid, silentLogger()))?.closed;
  const store = closed && (await atRest(folder));
  return store && findForeignWrites(store, closed, log);
}

/** What a module is made of, whether it shares its store or not. */
interface Part {
  /** The store, while this process owns it. */
  readonly serving: Serving | undefined;
  /** By setting name. */
  readonly ports: Readonly<Record<string, number>>;
  /** See `ProbeServerOptions`. */
  ready(): Promise<void>;
  details(): Readonly<Record<string, string>>;
  close(graceMs: number): Promise<unknown>;
}

function stateOf(serving: Serving | undefined, damages: number): MetadataState | undefined {
  if (serving === undefined) return undefined;
  const { rpc, store } = serving;
  return {
    openStreams: rpc.openStreams,
    openIterators: store.store.openIterators,
    entriesRead: store.store.entriesRead,
    firstRecord: store.recordLog.first,
    lastRecord: store.recordLog.last,
    losses: store.losses + damages,
    readers: store.readers,
  };
}

/** Where others reach this module as the owner of the store. */
function addressOf({ ports }: Doors, plan: PortPlan, settings: MetadataSettings): string {
  const { METADATA_ADVERTISE: given, METADATA_TLS_ADVERTISE: givenTls } = settings;
  const at = (planned: PlannedPort | undefined, advertised: AdvertisedHost | undefined): string | undefined =>
    planned && advertisedAddress(advertised, planned.address, ports[planned.setting] ?? 0);
  return addressText({
    plain: at(plan.plain, given),
    tls: at(plan.tls, givenTls ?? (given && { ...given, port: undefined })),
  });
}

/** @throws StartError when a setting is set that this store has no use for */
function refuseWithoutEffect({ name }: LevelDownPlugin, level: LevelDown, env: Environment): void {
  const advertised = ['METADATA_ADVERTISE', 'METADATA_TLS_ADVERTISE'].filter(one => isSet(one, env));
  if (advertised.length > 0 && level.waitsForOwner !== true)
    throw new StartError(
      `${advertised.join(', ')}: set, and without effect: no other module stands by for this store (METADATA_BACKEND=${name}). ` +
        'It is for mongodown with MONGODB_IN_USE=wait',
    );
}

async function openFolder({ METADATA_PATH, DATA_DIR }: MetadataSettings): Promise<string> {
  if (METADATA_PATH === undefined) return openPartFolder(DATA_DIR, 'metadata');
  await checkFolder('METADATA_PATH', METADATA_PATH);
  return path.resolve(METADATA_PATH);
}

/** An error of the first `open`, as far as the plug-in knows what it means to who starts the module. */
function explain(plugin: LevelDownPlugin, err: unknown): unknown {
  if (!(err instanceof Error) || err instanceof StartError) return err;
  const cause = rootOf(err);
  const explained =
    (cause instanceof Error ? plugin.explain?.(cause) : undefined) ??
    (levelErrorCode(cause) === undefined
      ? undefined
      : `METADATA_BACKEND: ${plugin.name}: ${messageOf(cause)}`);
  if (explained === undefined) return err;
  const advice = levelErrorCode(cause) === LEVEL_ERRORS.corrupt ? `: ${BRING_BACK}` : '';
  return new StartError(`${explained}${advice}`, { cause: err });
}
