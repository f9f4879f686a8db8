/**
 * The crash test: a daemon under load is killed, again and again, and afterwards holds all that it
 * acknowledged; its record log tells of exactly what it holds. Readers are beside the writers: what they are
 * given whole is right. Any kind of LevelDOWN can run it.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { RpcClient, type RpcStream } from '@zenko-modules/common/rpc/client';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/common/rpc/wire';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { LogItem } from '../record-log/record.js';

const ENTRY = fileURLToPath(new URL('../main.js', import.meta.url));
const BUCKET = 'crash';
const WRITERS = 16;
const KEYS_PER_WRITER = 3;
/** After a call that failed. */
const PAUSE_MS = 20;

/** A LevelDOWN of which a daemon is made. */
export interface CrashKind {
  readonly name: string;
  /** Kills per test. */
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
    const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index));
    for (let kill = 0; kill <= kind.kills; kill += 1) {
      const daemon = await startDaemon(t, { entry: ENTRY, env });
      await check(daemon, writers);
      if (kill === kind.kills) return;
      const client = clientOf(daemon, METADATA_NAMESPACE);
      let alive = true;
      const isAlive = (): boolean => alive;
      const logClient = clientOf(daemon, RECORD_LOG_NAMESPACE);
      const load = Promise.all([
        ...writers.map(writer => writer.run(client, isAlive)),
        ...[1, 2].map(() => untilGone(() => readBucket(client, writers), isAlive)),
        untilGone(() => replay(logClient), isAlive),
      ]);
      await sleep(random.integer(200, 800));
      if (kind.disturb) {
        await kind.disturb();
        await sleep(random.integer(0, 500));
      }
      alive = false;
      await daemon.kill('SIGKILL');
      await load;
      client.close();
      logClient.close();
    }
  });
}

/** Writes to keys of its own, one after the other, and remembers what was acknowledged. */
class Writer {
  readonly #name: string;
  #turn = 0;
  /** The number that was last acknowledged for each key, and the one that was sent last. */
  readonly numbers = new Map<string, { acknowledged: number; sent: number }>();
  readonly versions: { key: string; versionId: string }[] = [];

  constructor(index: number) {
    this.#name = `w${index}`;
  }

  /** Writes until the daemon is gone. What failed before may have been written. */
  async run(client: RpcClient, isAlive: () => boolean): Promise<void> {
    for (;;) {
      this.#turn += 1;
      const key = `${this.#name}-${this.#turn % KEYS_PER_WRITER}`;
      const n = this.#turn;
      const numbers = this.numbers.get(key) ?? { acknowledged: 0, sent: 0 };
      this.numbers.set(key, { ...numbers, sent: n });
      const versioning = n % 2 === 0;
      const rpcArgs = [
        key,
        JSON.stringify({ n, pad: 'x'.repeat(n % 700) }),
        versioning ? { versioning } : {},
      ];
      try {
        const result = await client.call('put', { rpcArgs, subLevel: [BUCKET] });
        this.numbers.set(key, { acknowledged: n, sent: n });
        if (versioning) this.versions.push({ key, ...(JSON.parse(String(result)) as { versionId: string }) });
      } catch (err) {
        if (!isErrorType(err, 'ServiceUnavailable')) throw err;
        if (!isAlive()) return;
        await sleep(PAUSE_MS);
      }
    }
  }
}

/** Reads again and again while the daemon is there. A read that it cuts off must fail. */
async function untilGone(read: () => Promise<unknown>, isAlive: () => boolean): Promise<void> {
  for (;;) {
    try {
      await read();
    } catch (err) {
      if (!isErrorType(err, 'ServiceUnavailable')) throw err;
      if (!isAlive()) return;
      await sleep(PAUSE_MS);
    }
  }
}

/** Lists the bucket: all is there that was acknowledged before, and nothing that was not sent. */
async function readBucket(client: RpcClient, writers: readonly Writer[]): Promise<Map<string, string>> {
  const before = writers.map(({ numbers, versions }) => ({
    numbers: new Map(numbers),
    versions: [...versions],
  }));
  const stored = new Map<string, string>();
  const stream = await client.call('createReadStream', { rpcArgs: [{}], subLevel: [BUCKET] });
  for await (const item of stream as RpcStream) {
    const { key, value } = item as { key: string; value: string };
    stored.set(key, value);
  }
  for (const [index, { numbers, versions }] of before.entries()) {
    for (const [key, { acknowledged }] of numbers) {
      const n = numberIn(stored.get(key));
      const sent = writers[index]?.numbers.get(key)?.sent ?? 0;
      assert.ok(
        n >= acknowledged && n <= sent,
        `${key}: ${acknowledged} acknowledged, ${sent} sent, ${n} stored`,
      );
    }
    for (const { key, versionId } of versions)
      assert.ok(stored.has(`${key}\0${versionId}`), `${key} ${versionId}`);
  }
  return stored;
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

async function replay(client: RpcClient): Promise<Map<string, string>> {
  const { info, log } = (await client.call('readRecords', { rpcArgs: [{}] })) as {
    info: { start: number | null; end: number | null };
    log: RpcStream;
  };
  const replayed = new Map<string, string>();
  let count = 0;
  for await (const item of log) {
    const { db, entries } = item as LogItem;
    const [{ type, key, value }] = entries;
    count += 1;
    assert.equal(db, BUCKET);
    if (type === 'put') replayed.set(key, value ?? '');
    else replayed.delete(key);
  }
  if (info.start !== null) assert.equal(info.start, 1);
  assert.equal(count, info.end ?? 0, 'records without a gap');
  return new Map([...replayed].sort());
}

function numberIn(value: string | undefined): number {
  return value === undefined ? 0 : (JSON.parse(value) as { n: number }).n;
}

function clientOf(daemon: DaemonProcess, namespace: string): RpcClient {
  return new RpcClient({ url: `http://127.0.0.1:${daemon.ports['METADATA_PORT']}`, namespace });
}
