/** The driver's client, set up for what mongodown relies on. */
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { MongoClient, MongoParseError } from 'mongodb';

/** The driver has cursors to end at servers that may not answer. */
const CLOSE_MS = 2000;
/** How often the driver looks after its servers: a silent one is found out within this and the timeout. */
const HEARTBEAT_MS = 2000;

export interface ConnectionOptions {
  readonly url: string;
  readonly timeoutMs: number;
  readonly socketTimeoutMs: number;
  /** Given the client before it connects, for its events (commands, pools, servers). */
  readonly onClient?: ((client: MongoClient) => void) | undefined;
}

/**
 * A client that is not connected. What stands here wins over the URL: writes wait for a majority's journals,
 * and nothing is retried by the driver, since that needs sessions that not every server has, and mongodown's
 * own retries know what they may repeat.
 * @throws MongoParseError and others of the driver when the URL is not valid
 */
export function createClient({ url, timeoutMs, socketTimeoutMs, onClient }: ConnectionOptions): MongoClient {
  const client = new MongoClient(url, {
    appName: 'zenko-metadata-module',
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: timeoutMs },
    retryWrites: false,
    retryReads: false,
    promoteBuffers: true,
    ignoreUndefined: true,
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    socketTimeoutMS: socketTimeoutMs,
    heartbeatFrequencyMS: HEARTBEAT_MS,
    monitorCommands: onClient !== undefined,
  });
  onClient?.(client);
  return client;
}

/** Ends all connections, also those with a command under way. Never rejects, and resolves within seconds. */
export async function closeClient(client: MongoClient, log: Logger): Promise<void> {
  try {
    await withDeadline(client.close(true), CLOSE_MS, 'closing the connections');
  } catch (err) {
    log.warn({ err }, 'the connections to MongoDB could not be closed');
  }
}

/** Why the driver does not take this URL, or `undefined` when it does. Never contains the URL. */
export function urlProblem(url: string): string | undefined {
  try {
    createClient({ url, timeoutMs: 1000, socketTimeoutMs: 1000 });
    return undefined;
  } catch (err) {
    return err instanceof MongoParseError
      ? err.message.replaceAll(url, '<the URL>')
      : 'the driver does not take it';
  }
}
