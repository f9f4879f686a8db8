/**
 * Writes through the metadata module against bare leveldown: `node bench/dist/metadata-writes.js [seconds] [folder]`.
 *
 * Bare leveldown writes what the module writes for a put (the entry and its log record) in one synced batch,
 * one after the other. Beside it, in turns: one client of the module that waits for each put, one that keeps
 * 32 in flight, and one that makes a call which writes nothing: what is left of a put is the write. Where the
 * disk syncs fast the way to the module and back is most of the time; only numbers of one run compare.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { closeLevel, openLevel, writeBatch } from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { leveldown } from '@zenko-modules/metadata-module/leveldowns/leveldown-binding';
import { Teardown } from './measure.js';

const MAIN = fileURLToPath(new URL('../../metadata-module/dist/main.js', import.meta.url));
const VALUE = JSON.stringify({ 'content-length': 1, pad: 'x'.repeat(700) });
const ROUNDS = 3;

interface Writer {
  readonly name: string;
  readonly inFlight: number;
  readonly write: (n: number) => Promise<unknown>;
  /** Milliseconds of each write, over all rounds. */
  readonly times: number[];
  seconds: number;
}

async function run(writer: Writer, seconds: number): Promise<void> {
  const started = performance.now();
  const end = started + seconds * 1000;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      const before = performance.now();
      await writer.write(writer.times.length);
      writer.times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: writer.inFlight }, one));
  writer.seconds += (performance.now() - started) / 1000;
}

async function bare(folder: string, teardown: Teardown): Promise<Writer> {
  const level = leveldown(path.join(folder, 'bare'));
  await openLevel(level);
  teardown.after(() => closeLevel(level));
  let seq = 0;
  const write = (n: number): Promise<void> => {
    seq += 1;
    const key = `k${n}`;
    const record = JSON.stringify({ type: 'put', db: 'bucket', key, value: VALUE, timestamp: new Date() });
    return writeBatch(level, [
      { type: 'put', key: `!bucket!${key}`, value: VALUE },
      { type: 'put', key: `!..recordLogs#s3-recordlog!${String(seq).padStart(16, '0')}`, value: record },
    ]);
  };
  return { name: 'bare leveldown, one after the other', inFlight: 1, write, times: [], seconds: 0 };
}

async function throughModule(
  folder: string,
  inFlight: number,
  teardown: Teardown,
): Promise<Writer & { commitsPerSync: () => Promise<number>; roundTrip: Writer }> {
  const data = await mkdtemp(path.join(folder, 'module-'));
  const env = { DATA_DIR: data, METADATA_PORT: '0', METADATA_PROBE_PORT: '0', LOG_LEVEL: 'warn' };
  const { ports } = await startDaemon(teardown, { entry: MAIN, env });
  const url = `http://127.0.0.1:${ports.METADATA_PORT ?? 0}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  teardown.after(() => client.close());
  return {
    name: `the module, ${inFlight} in flight`,
    inFlight,
    write: n => client.call('put', { rpcArgs: [`k${n}`, VALUE, {}], subLevel: ['bucket'] }),
    times: [],
    seconds: 0,
    roundTrip: {
      name: 'a call that writes nothing (getUUID)',
      inFlight: 1,
      write: () => client.call('getUUID', { rpcArgs: [] }),
      times: [],
      seconds: 0,
    },
    commitsPerSync: async () => {
      const page = await (await fetch(`http://127.0.0.1:${ports.METADATA_PROBE_PORT ?? 0}/metrics`)).text();
      const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
      return read('metadata_batch_commits_sum') / read('metadata_batch_commits_count');
    },
  };
}

function show({ name, times, seconds }: Writer): void {
  const sorted = [...times].sort((a, b) => a - b);
  const quantile = (q: number): string =>
    `${(sorted[Math.floor(sorted.length * q)] ?? 0).toFixed(2)} ms`.padStart(10);
  const rate = (times.length / seconds).toFixed(0).padStart(8);
  console.log(`${name.padEnd(38)}${rate}${quantile(0.5)}${quantile(0.99)}`);
}

const seconds = Number(process.argv[2] ?? 3);
const teardown = new Teardown();
try {
  const folder = await mkdtemp(path.join(process.argv[3] ?? os.tmpdir(), 'zenko-bench-'));
  teardown.after(() => rm(folder, { recursive: true }));
  const one = await throughModule(folder, 1, teardown);
  const many = await throughModule(folder, 32, teardown);
  const writers = [await bare(folder, teardown), one.roundTrip, one, many];
  for (let round = 0; round < ROUNDS; round += 1) for (const writer of writers) await run(writer, seconds);
  console.log(`${''.padEnd(38)} calls/s    median       p99`);
  writers.forEach(show);
  for (const writer of [one, many]) {
    console.log(`${writer.name}: ${(await writer.commitsPerSync()).toFixed(1)} writes share a sync`);
  }
} finally {
  await teardown.run();
}
