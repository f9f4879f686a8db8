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
import { clientOf, Load, readBucket, replay, Writer } from './load.js';

const ENTRY = fileURLToPath(new URL('../main.js', import.meta.url));
const WRITERS = 16;

/** A LevelDOWN of which a daemon is made. */
export interface CrashKind {
  readonly name: string;
  /** Kills per test, unless CRASH_KILLS says another number. */
  readonly kills: number;
  /** Settings beyond folder and ports, the same for every start of one test. */
  env(t: TestContext): Promise<Readonly<Record<string, string>>>;
  /** What else befalls the daemon under load, before it is killed; calls may fail meanwhile. */
  disturb?(): Promise<void>;
}

/** Registers the crash test for one kind of LevelDOWN. */
export function testCrash(kind: CrashKind): void {
  test(`${kind.name}: a daemon that is killed under load holds all that it acknowledged, and its log agrees`, async t => {
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
      await check(daemon, writers);
      if (kill === kills) return;
      const client = clientOf(daemon, METADATA_NAMESPACE);
      const logClient = clientOf(daemon, RECORD_LOG_NAMESPACE);
      const load = new Load('ServiceUnavailable');
      const work = Promise.all([
        ...writers.map(writer => load.repeat(() => writer.write(client))),
        ...[1, 2].map(() => load.repeat(() => readBucket(client, writers))),
        load.repeat(() => replay(logClient)),
      ]);
      await sleep(random.integer(200, 800));
      if (kind.disturb) {
        await kind.disturb();
        await sleep(random.integer(0, 500));
      }
      load.going = false;
      await daemon.kill('SIGKILL');
      await work;
      client.close();
      logClient.close();
    }
  });
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
