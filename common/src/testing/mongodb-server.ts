/**
 * A MongoDB for tests: the one of MONGODB_TEST_URL, else a `mongod` in PATH as a replica set of one, else the
 * stand-in beside the project, which speaks its protocol on a single node.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { sleep } from '../deadline.js';
import { temporaryFolder } from './temporary-folder.js';
import {
  findInPath,
  findInShared,
  freePort,
  skipReason,
  startTestServer,
  type TestServer,
} from './test-server.js';

/** The server that the environment names. */
export const GIVEN_MONGODB_URL = process.env.MONGODB_TEST_URL || undefined;
const MONGOD = findInPath('mongod');
const STAND_IN = findInShared('mongodb-standin/start');

/** Whether the server is the stand-in, which has none of a server's limits. */
export const mongodbIsStandIn = GIVEN_MONGODB_URL === undefined && MONGOD === undefined;

const REASON = 'needs MONGODB_TEST_URL, or mongod in PATH';
const OWN_REASON = 'stops and kills its server, and so needs mongod in PATH';

/**
 * Why tests that need MongoDB cannot run here, as node:test's `skip` takes it; `false` when they can, or
 * must.
 */
export const mongodbMissing: string | false = skipReason(
  GIVEN_MONGODB_URL !== undefined || MONGOD !== undefined || STAND_IN !== undefined,
  REASON,
);
/** The same for tests that stop and kill their server. */
export const ownMongodbMissing: string | false = skipReason(
  MONGOD !== undefined || STAND_IN !== undefined,
  OWN_REASON,
);

const SET_DEADLINE_MS = 30_000;

/** A server of the test's own. */
export interface OwnMongodb {
  readonly port: number;
  readonly url: string;
  /** Ends it by `signal` and waits until it has gone. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Sends a signal, such as SIGSTOP, and does not wait. */
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Starts it again on the same port and data after `stop`. */
  readonly start: () => Promise<void>;
}

/** The URL of a server. It may serve others too: a test uses a database of its own. */
export async function startMongodb(t: Pick<TestContext, 'after'>): Promise<string> {
  return GIVEN_MONGODB_URL ?? (await startOwnMongodb(t)).url;
}

/** A server that the test may stop and kill; killed when the test ends. */
export async function startOwnMongodb(t: Pick<TestContext, 'after'>): Promise<OwnMongodb> {
  const folder = path.join(await temporaryFolder(t), 'data');
  await mkdir(folder);
  const port = await freePort();
  let server: TestServer;
  const start = async (): Promise<void> => {
    server =
      MONGOD === undefined ? await startStandIn(t, folder, port) : await startMongod(t, MONGOD, folder, port);
  };
  await start();
  return {
    port,
    url: `mongodb://127.0.0.1:${port}/?directConnection=true`,
    stop: signal => server.stop(signal),
    signal: signal => server.signal(signal),
    start,
  };
}

async function startStandIn(
  t: Pick<TestContext, 'after'>,
  folder: string,
  port: number,
): Promise<TestServer> {
  if (STAND_IN === undefined) throw new Error(OWN_REASON);
  return startTestServer(t, { program: STAND_IN, args: [folder, String(port)], port });
}

async function startMongod(
  t: Pick<TestContext, 'after'>,
  program: string,
  folder: string,
  port: number,
): Promise<TestServer> {
  const args = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--replSet', 'test'];
  const server = await startTestServer(t, { program, args, port });
  await makeReplicaSet(port);
  return server;
}

/** Makes the server a replica set of one, unless it is one already, and waits until it takes writes. */
async function makeReplicaSet(port: number): Promise<void> {
  const { MongoClient } = await import('mongodb');
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  try {
    const admin = client.db('admin');
    const member = { _id: 0, host: `127.0.0.1:${port}` };
    await admin.command({ replSetInitiate: { _id: 'test', members: [member] } }).catch((err: unknown) => {
      if (!(err instanceof Error && 'codeName' in err && err.codeName === 'AlreadyInitialized')) throw err;
    });
    const deadline = Date.now() + SET_DEADLINE_MS;
    while ((await admin.command({ hello: 1 })).isWritablePrimary !== true) {
      if (Date.now() > deadline)
        throw new Error('mongod did not become the primary of its replica set in time');
      await sleep(50);
    }
  } finally {
    await client.close();
  }
}
