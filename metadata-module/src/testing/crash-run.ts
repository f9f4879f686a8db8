/**
 * The crash test: a daemon under load is killed, again and again, and afterwards holds all that it
 * acknowledged; its record log tells of exactly what it holds. Readers are beside the writers: what they are
 * given whole is right. Any kind of LevelDOWN can run it.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { clientOf, insist, Load, readBucket, replay, Writer } from './load.js';

const ENTRY = fileURLToPath(new URL('../main.js', import.meta.url));
const WRITERS = 16;
/** Characters of a daemon's log that a failure shows. */
const OUTPUT_SHOWN = 10_000;

/** A LevelDOWN of which a daemon is made. */
export interface CrashKind {
  readonly name: string;
  /** Kills per test, unless CRASH_KILLS says another number. */
  readonly kills: number;
  /** Settings beyond folder and ports, the same for every start of one test. */
  env(t: TestContext): Promise<Readonly<Record<string, string>>>;
  /** What else befalls the daemon under load, before it is killed; calls may fail meanwhile. */
  disturb?(): Promise<void>;
  /** Runs the test, again if it has to begin anew. Once by default. */
  around?(t: TestContext, run: () => Promise<void>): Promise<void>;
}

/** Registers the crash test for one kind of LevelDOWN. */
export function testCrash(kind: CrashKind): void {
  test(`${kind.name}: a daemon that is killed under load holds all that it acknowledged, and its log agrees`, async t => {
    if (kind.around) await kind.around(t, () => killUnderLoad(t, kind));
    else await killUnderLoad(t, kind);
  });
}

async function killUnderLoad(t: TestContext, kind: CrashKind): Promise<void> {
  const random = seededRandom(t);
  const env = {
    ...(await kind.env(t)),
    DATA_DIR: await temporaryFolder(t),
    METADATA_PORT: '0',
    METADATA_PROBE_PORT: '0',
  };
  const kills = Number(process.env.CRASH_KILLS ?? kind.kills);
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index));
  for (let kill = 0; kill <= kills; kill += 1) {
    const daemon = await startDaemon(t, { entry: ENTRY, env });
    try {
      await insist(() => check(daemon, writers));
      if (kill === kills) return;
      await workUntilKilled(t, daemon, writers, async () => {
        await sleep(random.integer(200, 800));
        if (kind.disturb) {
          await kind.disturb();
          await sleep(random.integer(0, 500));
        }
      });
    } catch (err) {
      throw new Error(`the daemon said:\n${daemon.output().slice(-OUTPUT_SHOWN)}`, { cause: err });
    }
  }
}

/** Clients at work from before `meanwhile` until after the kill. */
async function workUntilKilled(
  t: TestContext,
  daemon: DaemonProcess,
  writers: readonly Writer[],
  meanwhile: () => Promise<void>,
): Promise<void> {
  const client = clientOf(daemon, METADATA_NAMESPACE);
  const logClient = clientOf(daemon, RECORD_LOG_NAMESPACE);
  const load = new Load(t, 'ServiceUnavailable');
  const work = Promise.all([
    ...writers.map(writer => load.repeat(() => writer.write(client))),
    ...[1, 2].map(() => load.repeat(() => readBucket(client, writers))),
    load.repeat(() => replay(logClient)),
  ]);
  work.catch(() => undefined); // told below, when the daemon has ended
  try {
    await meanwhile();
  } finally {
    load.going = false;
    await daemon.kill('SIGKILL');
    await work.finally(() => [client, logClient].forEach(one => one.close()));
  }
}

async function check(daemon: DaemonProcess, writers: readonly Writer[]): Promise<void> {
  const client = clientOf(daemon, METADATA_NAMESPACE);
  const logClient = clientOf(daemon, RECORD_LOG_NAMESPACE);
  try {
    const stored = await readBucket(client, writers);
    assert.deepEqual(await replay(logClient), new Map([...stored].sort()));
  } finally {
    client.close();
    logClient.close();
  }
}
