/**
 * The populator of two checkouts beside each other, each on a metadata module of its own checkout:
 * `node bench/dist/versus-populator.js THIS OTHER [--turns N] `. In every turn a populator of each, whose one extension
 * publishes every record to the embedded queue, catches up with a log, then follows single writes.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sleep } from '@zenko-modules/common/deadline';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { metric } from '@zenko-modules/extensions/testing/probe';
import { cpuSecondsOf, Teardown } from './measure.js';
import { median, startOf, versusArguments } from './versus/turns.js';

const RECORDS = Number(process.env.BENCH_RECORDS ?? 50_000);
const FOLLOWED = 15;
/** As large as what CloudServer stores of a small object. */
const VALUE = JSON.stringify({ 'content-length': 0, pad: 'x'.repeat(1000) });
const MAINS = ['extensions/dist/commands/populator-main.js', 'extensions/dist/populator-main.js'];

interface Side {
  readonly checkout: string;
  readonly metadataPort: number;
  readonly metadataPid: number;
  readonly client: RpcClient;
  /** Records in the log. */
  records: number;
}

interface Sample {
  readonly perSecond: number;
  /** Microseconds of processor time per record. */
  readonly cpuMicros: number;
  readonly metadataCpuMicros: number;
  /** From the acknowledgement of a write to its message on disk. */
  readonly followMs: number;
}

function put({ client }: Side, bucket: string, key: string): Promise<unknown> {
  return client.call('put', { rpcArgs: [key, VALUE, {}], subLevel: [bucket] });
}

async function startSide(teardown: Teardown, checkout: string): Promise<Side> {
  const { pid, ports } = await startOf(teardown, checkout, 'metadata-module/dist/main.js', folder => ({
    METADATA_PATH: folder,
    METADATA_PORT: '0',
    METADATA_PROBE_PORT: '0',
    LOG_LEVEL: 'warn',
  }));
  const metadataPort = ports.METADATA_PORT ?? 0;
  const client = new RpcClient({ url: `http://127.0.0.1:${metadataPort}`, namespace: METADATA_NAMESPACE });
  teardown.after(() => client.close());
  const side = { checkout, metadataPort, metadataPid: pid, client, records: 0 };
  let next = 0;
  const fill = async (): Promise<void> => {
    while (next < RECORDS) await put(side, 'bench', `k${next++}`);
  };
  await Promise.all(Array.from({ length: 256 }, fill));
  side.records = RECORDS;
  return side;
}

/** An extension that publishes every record to a topic of its own. */
async function writeExtension(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'everything'), { recursive: true });
  await writeFile(
    path.join(folder, 'everything', 'index.mjs'),
    `export default ({ QueuePopulatorExtension }) => ({
      name: 'everything',
      version: '1.0.0',
      queuePopulatorExtension: class extends QueuePopulatorExtension {
        filter(entry) {
          this.publish('everything', entry.bucket + '/' + entry.key, JSON.stringify(entry));
        }
      },
    });`,
  );
}

async function topicBytes(data: string): Promise<number> {
  const folder = path.join(data, 'extensions', 'queue', 'everything');
  const sizes = (await readdir(folder).catch(() => []))
    .filter(name => name.endsWith('.log'))
    .map(async name => (await stat(path.join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function sample(side: Side, own: string, name: string): Promise<Sample> {
  const teardown = new Teardown();
  try {
    const data = await mkdtemp(path.join(os.tmpdir(), 'zenko-versus-'));
    teardown.after(() => rm(data, { recursive: true, maxRetries: 5 }));
    const main = MAINS.find(file => existsSync(path.join(side.checkout, file))) ?? '';
    const metadataBefore = cpuSecondsOf(side.metadataPid);
    const populator = await startDaemon(teardown, {
      entry: path.join(side.checkout, main),
      env: {
        DATA_DIR: data,
        METADATA_PORT: String(side.metadataPort),
        POPULATOR_PROBE_PORT: '0',
        POPULATOR_NAME: name,
        EXTENSIONS_PATH: own,
        EXTENSIONS_HELLOWORLD_ENABLED: 'false',
        LOG_LEVEL: 'warn',
      },
    });
    const [cpuBefore, started] = [cpuSecondsOf(populator.pid), performance.now()];
    const published = (): Promise<number> =>
      metric(populator.ports.POPULATOR_PROBE_PORT, 'populator_published_total', 'everything');
    // Asking costs the populator something: only when most of it lies there.
    while ((await topicBytes(data)) < side.records * VALUE.length) await sleep(20);
    while ((await published()) < side.records) await sleep(20);
    const seconds = (performance.now() - started) / 1000;
    const cpu = cpuSecondsOf(populator.pid) - cpuBefore;
    const metadataCpu = cpuSecondsOf(side.metadataPid) - metadataBefore;
    const delays: number[] = [];
    for (let i = 0; i < FOLLOWED; i++) {
      await sleep(300 + Math.random() * 200);
      const before = await topicBytes(data);
      await put(side, 'followed', `k${i}`);
      const acknowledged = performance.now();
      while ((await topicBytes(data)) === before) await sleep(1);
      delays.push(performance.now() - acknowledged);
      side.records += 1;
    }
    await populator.kill();
    const micros = (value: number): number => (value * 1e6) / side.records;
    return {
      perSecond: side.records / seconds,
      cpuMicros: micros(cpu),
      metadataCpuMicros: micros(metadataCpu),
      followMs: median(delays),
    };
  } finally {
    await teardown.run();
  }
}

const { checkouts, turns } = versusArguments();
const teardown = new Teardown();
try {
  const own = await mkdtemp(path.join(os.tmpdir(), 'zenko-versus-'));
  teardown.after(() => rm(own, { recursive: true }));
  await writeExtension(own);
  const sides = [await startSide(teardown, checkouts[0]), await startSide(teardown, checkouts[1])] as const;
  const samples: [Sample[], Sample[]] = [[], []];
  for (let turn = 0; turn < turns; turn += 1) {
    for (const which of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      samples[which].push(await sample(sides[which], own, `turn-${turn}`));
    }
    process.stderr.write(`turn ${turn + 1} of ${turns}\n`);
  }
  console.log('| | this | other | ratio, median (each turn) |\n|---|---|---|---|');
  for (const [name, read, digits] of [
    ['records/s', (one: Sample) => one.perSecond, 0],
    ['processor time per record, µs', (one: Sample) => one.cpuMicros, 1],
    ['the same of the metadata module', (one: Sample) => one.metadataCpuMicros, 1],
    ['put to published, median, ms', (one: Sample) => one.followMs, 1],
  ] as const) {
    const [ours, theirs] = samples.map(list => list.map(read)) as [number[], number[]];
    const ratios = ours.map((value, turn) => value / (theirs[turn] ?? NaN));
    const each = ratios.map(ratio => ratio.toFixed(2)).join(' ');
    console.log(
      `| ${name} | ${median(ours).toFixed(digits)} | ${median(theirs).toFixed(digits)} | ${median(ratios).toFixed(2)} (${each}) |`,
    );
  }
} finally {
  await teardown.run();
}
