/** The front: the clients of both modules, the S3 server, and the probe server beside it. */
import type { Running } from '@zenko-modules/common/daemon';
import { sleep } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { moduleAddress } from '@zenko-modules/common/network/module-address';
import { openTlsClient } from '@zenko-modules/common/network/tls-settings';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import { StartError } from '@zenko-modules/common/start-error';
import { keysOf } from './auth/keys.js';
import { USERS_BUCKET } from './bucket-attributes.js';
import { DataClient } from './data-client.js';
import { createFrontMetrics } from './front-metrics.js';
import type { FrontSettings } from './front-settings.js';
import { FRONT_CHARTS } from './front-status.js';
import { startS3Server } from './http/s3-server.js';
import { KeyedLocks } from './keyed-locks.js';
import { MetadataClient } from './metadata-client.js';
import { sweepUploads } from './multipart/sweep-uploads.js';
import type { Front } from './operations/operation.js';
import { ReplacedData } from './replaced-data.js';

/** The part of the grace period that requests in flight get. */
const REQUESTS_SHARE = 0.75;
/** And what they have left to do then; the rest is for closing. */
const REPLACED_SHARE = 0.15;
/** Times that a module has for an answer: whoever holds a lock may wait for each module in turn. */
const LONGEST_WAIT = 3;
const PREPARE_RETRY_MS = 1000;

/**
 * Serves S3. The modules need not be there yet: until they are, requests are answered ServiceUnavailable.
 * @throws StartError when a port cannot be bound, or a file that a setting names cannot be used
 */
export async function startFront(settings: FrontSettings, log: Logger): Promise<Running> {
  const keys = keysOf(settings);
  await keys().catch((err: unknown) => {
    throw new StartError(`S3AUTH_CONFIG: ${messageOf(err)}`);
  });
  const { METADATA_TLS_PORT, DATA_TLS_PORT } = settings;
  const tls = await openTlsClient(settings, { METADATA_TLS_PORT, DATA_TLS_PORT }, log);
  const data = new DataClient({
    ...moduleAddress(settings.DATA_HOST, settings.DATA_PORT, DATA_TLS_PORT, tls),
    timeoutMs: settings.S3_MODULE_TIMEOUT_MS,
  });
  const front: Front = {
    settings,
    keys,
    locks: new KeyedLocks(LONGEST_WAIT * settings.S3_MODULE_TIMEOUT_MS),
    metadata: new MetadataClient({
      ...moduleAddress(settings.METADATA_HOST, settings.METADATA_PORT, METADATA_TLS_PORT, tls),
      callTimeoutMs: settings.S3_MODULE_TIMEOUT_MS,
    }),
    data,
    replaced: new ReplacedData(data, log),
  };
  const closeClients = (): void => {
    front.metadata.close();
    front.data.close();
    tls?.close();
  };
  try {
    return await serve(front, closeClients, log);
  } catch (err) {
    closeClients();
    throw err;
  }
}

async function serve(front: Front, closeClients: () => void, log: Logger): Promise<Running> {
  const { settings } = front;
  const registry = createRegistry();
  const server = await startS3Server({ front, log, metrics: createFrontMetrics(registry) });
  const stop = new AbortController();
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.S3_PROBE_PORT,
    portSetting: 'S3_PROBE_PORT',
    registry,
    ready: () => (stop.signal.aborted ? Promise.reject(new Error('stopping')) : modulesAnswer(front)),
    status: { part: 's3-front', charts: FRONT_CHARTS, peers: settings.STATUS_PARTS },
  }).catch(async (err: unknown) => {
    await server.close(0);
    throw err;
  });
  const prepared = prepare(front, log, stop.signal);
  const swept = sweepUploads(front, log, stop.signal);
  return {
    ports: { S3_PORT: server.port, S3_PROBE_PORT: probes.port },
    uses: {
      metadata: `${settings.METADATA_HOST}:${settings.METADATA_PORT}`,
      data: `${settings.DATA_HOST}:${settings.DATA_PORT}`,
      accounts: settings.S3AUTH_CONFIG ?? 'S3_ACCESS_KEY',
      tls: settings.S3_TLS_CERT_FILE !== undefined,
      maxObjectBytes: settings.S3_MAX_OBJECT_BYTES,
      moduleTimeoutMs: settings.S3_MODULE_TIMEOUT_MS,
    },
    close: async () => {
      stop.abort();
      await server.close(settings.STOP_GRACE_MS * REQUESTS_SHARE);
      const removed = front.replaced.close();
      await Promise.race([removed, sleep(settings.STOP_GRACE_MS * REPLACED_SHARE)]);
      closeClients();
      await Promise.all([prepared, swept, removed]);
      await probes.close();
    },
  };
}

/** What each CloudServer does when it starts, for as long as the metadata module is away. */
async function prepare({ metadata }: Front, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await metadata.ensureUsersBucket('start');
      return;
    } catch (err) {
      log.debug({ reason: messageOf(err) }, 'the metadata module is not there yet');
      await sleep(PREPARE_RETRY_MS, signal);
    }
  }
}

async function modulesAnswer({ metadata, data }: Front): Promise<void> {
  await Promise.all([metadata.getBucket(USERS_BUCKET, 'probe'), data.ping()]);
}
