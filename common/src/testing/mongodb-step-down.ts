/**
 * A MongoDB whose primary is lost while others write: it steps down where the server is a replica set, and is
 * killed and started again where it is not.
 */
import type { TestContext } from 'node:test';
import type { Db, MongoClient } from 'mongodb';
import { sleep } from '../deadline.js';
import { GIVEN_MONGODB_URL, mongodbMissing, ownMongodbMissing, startOwnMongodb } from './mongodb-server.js';

/** Why tests that lose a primary cannot run here: a given server that is no replica set is not theirs to kill. */
export const losablePrimaryMissing: string | false =
  GIVEN_MONGODB_URL === undefined ? ownMongodbMissing : mongodbMissing;

export interface LosablePrimary {
  readonly url: string;
  /** What `lose` does here. */
  readonly kind: 'step-down' | 'restart';
  /** Takes the primary away, whatever is under way; resolves when there is one again that takes writes. */
  readonly lose: () => Promise<void>;
}

const STEP_DOWN_SECONDS = 2;
const DEADLINE_MS = 60_000;

/** The replica set of MONGODB_TEST_URL, else a server of the test's own. */
export async function startLosablePrimary(t: Pick<TestContext, 'after'>): Promise<LosablePrimary> {
  if (GIVEN_MONGODB_URL !== undefined && (await isReplicaSet(GIVEN_MONGODB_URL))) {
    return steppingDown(GIVEN_MONGODB_URL);
  }
  const server = await startOwnMongodb(t);
  if (await isReplicaSet(server.url)) return steppingDown(server.url);
  return {
    url: server.url,
    kind: 'restart',
    lose: async () => {
      await server.stop('SIGKILL');
      await server.start();
    },
  };
}

const steppingDown = (url: string): LosablePrimary => ({ url, kind: 'step-down', lose: () => stepDown(url) });

async function isReplicaSet(url: string): Promise<boolean> {
  return withAdmin(url, async admin => {
    try {
      return (await admin.command({ hello: 1 })).setName !== undefined;
    } catch (err) {
      if (err instanceof Error && 'codeName' in err) return false; // the stand-in does not know the command
      throw err;
    }
  });
}

async function stepDown(url: string): Promise<void> {
  await withAdmin(url, async admin => {
    await untilDone('step down', () =>
      admin.command({
        replSetStepDown: STEP_DOWN_SECONDS,
        secondaryCatchUpPeriodSecs: 1,
        force: true, // a set of one has nobody to hand over to
      }),
    );
    await untilDone('elect a primary', async () => {
      if ((await admin.command({ hello: 1 })).isWritablePrimary !== true) throw new Error('no primary yet');
    });
  });
}

/** Tries again while members change their roles. */
async function untilDone(what: string, work: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (err) {
      if (performance.now() > deadline)
        throw new Error(`the servers did not ${what} in time`, { cause: err });
      await sleep(100);
    }
  }
}

async function withAdmin<T>(url: string, use: (admin: Db) => Promise<T>): Promise<T> {
  const { MongoClient: Client } = await import('mongodb');
  const client: MongoClient = new Client(url, {
    readPreference: 'primary',
    serverSelectionTimeoutMS: 10_000,
  });
  try {
    return await use(client.db('admin'));
  } finally {
    await client.close();
  }
}
