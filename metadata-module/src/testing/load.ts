/**
 * Clients of a daemon under load: writers that remember what was acknowledged, and reads that are held to it. What
 * failed may have been written all the same.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { type ErrorType, isErrorType } from '@zenko-modules/common/errors';
import { RpcClient, type RpcStream } from '@zenko-modules/rpc/client';
import type { DaemonProcess } from '@zenko-modules/common/testing/daemon-process';
import type { LogItem } from '../record-log/record.js';

const BUCKET = 'bucket';
const KEYS_PER_WRITER = 3;
/** After a call that failed. */
const PAUSE_MS = 20;
/** See `insist`. */
const MOST_READS = 40;
const READ_PAUSE_MS = 250;

/** Work that goes on until it is told to end, or its test has ended, through the errors that it has to expect. */
export class Load {
  going = true;
  failures = 0;
  readonly #expected: readonly ErrorType[];

  constructor(t: Pick<TestContext, 'after'>, ...expected: ErrorType[]) {
    this.#expected = expected;
    t.after(() => {
      this.going = false;
    });
  }

  /** Resolves with how often the work succeeded. An error that is not expected ends all the work. */
  async repeat(work: () => Promise<unknown>): Promise<number> {
    let successes = 0;
    while (this.going) {
      try {
        await work();
        successes += 1;
      } catch (err) {
        if (!isErrorType(err, ...this.#expected)) {
          this.going = false;
          throw err;
        }
        this.failures += 1;
        await sleep(PAUSE_MS);
      }
    }
    return successes;
  }
}

/** Writes to keys of its own, one after the other, and remembers what was acknowledged. */
export class Writer {
  readonly #name: string;
  #turn = 0;
  /** The number that was last acknowledged for each key, and the one that was sent last. */
  readonly numbers = new Map<string, { acknowledged: number; sent: number }>();
  readonly versions: { key: string; versionId: string }[] = [];

  constructor(index: number) {
    this.#name = `w${index}`;
  }

  async write(client: RpcClient): Promise<void> {
    this.#turn += 1;
    const key = `${this.#name}-${this.#turn % KEYS_PER_WRITER}`;
    const n = this.#turn;
    const numbers = this.numbers.get(key) ?? { acknowledged: 0, sent: 0 };
    this.numbers.set(key, { ...numbers, sent: n });
    const versioning = n % 2 === 0;
    const value = JSON.stringify({ n, pad: 'x'.repeat(n % 700) });
    const rpcArgs = [key, value, versioning ? { versioning } : {}];
    const result = await client.call('put', { rpcArgs, subLevel: [BUCKET] });
    this.numbers.set(key, { acknowledged: n, sent: n });
    if (versioning) this.versions.push({ key, ...(JSON.parse(String(result)) as { versionId: string }) });
  }
}

/** Lists the bucket: all is there that was acknowledged before, and nothing that was not sent. */
export async function readBucket(
  client: RpcClient,
  writers: readonly Writer[],
): Promise<Map<string, string>> {
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

/** The bucket as the whole log tells of it. */
export async function replay(client: RpcClient): Promise<Map<string, string>> {
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

export function clientOf(daemon: DaemonProcess, namespace: string): RpcClient {
  return new RpcClient({ url: `http://127.0.0.1:${daemon.ports['METADATA_PORT']}`, namespace });
}

/** Reads again what was broken off, as by an owner that loses its store for a moment on a slow machine. */
export async function insist(read: () => Promise<void>): Promise<void> {
  for (let left = MOST_READS; ; left -= 1) {
    try {
      await read();
      return;
    } catch (err) {
      if (left === 0 || !isErrorType(err, 'ServiceUnavailable')) throw err;
      await sleep(READ_PAUSE_MS);
    }
  }
}
