/**
 * How fast the populator catches up, and how soon it follows: `node bench/dist/populator.js [records]`. Fills
 * the log of a metadata module, then starts a populator whose one extension publishes every record, to the
 * embedded queue and, where ../shared/bin has one, to Kafka.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sleep } from '@zenko-modules/common/deadline';
import type { DaemonProcess } from '@zenko-modules/common/testing/daemon-process';
import { ownKafkaMissing, startKafka } from '@zenko-modules/extensions/testing/kafka-broker';
import { metric } from '@zenko-modules/extensions/testing/probe';
import {
  type MetadataProcess,
  putEntry,
  startMetadata,
  startPopulator,
} from '@zenko-modules/extensions/testing/stack';
import { cpuSecondsOf, memoryOf, Teardown, timed } from './measure.js';

const RECORDS = Number(process.argv[2] ?? 100_000);
const AT_ONCE = 500;
/** As large as what CloudServer stores of a small object. */
const VALUE = JSON.stringify({ 'content-length': 0, pad: 'x'.repeat(1000) });
const FOLLOWED = 20;

const published = ({ ports }: DaemonProcess): Promise<number> =>
  metric(ports.POPULATOR_PROBE_PORT, 'populator_published_total', 'everything');

/** An extension that publishes every record to a topic of its own. */
async function writeExtension(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(
    path.join(folder, 'index.mjs'),
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

async function until(populator: DaemonProcess, count: number): Promise<void> {
  while ((await published(populator)) < count) await sleep(5);
}

async function measure(
  name: string,
  teardown: Teardown,
  metadata: MetadataProcess,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const data = await mkdtemp(path.join(os.tmpdir(), 'zenko-bench-'));
  teardown.after(() => rm(data, { recursive: true, force: true }));
  const records = await lastRecord(metadata);
  const settings = { ...env, LOG_LEVEL: 'warn', POPULATOR_NAME: name };
  const populator = await startPopulator(teardown, data, metadata.port, settings);
  const { seconds } = await timed(() => until(populator, records));
  const processor = cpuSecondsOf(populator.pid);
  const delays: number[] = [];
  for (let i = 1; i <= FOLLOWED; i++) {
    const { seconds: delay } = await timed(async () => {
      await putEntry(metadata, 'followed', `k${i}`, VALUE);
      await until(populator, records + i);
    });
    delays.push(delay * 1000);
    await sleep(Math.random() * 200);
  }
  delays.sort((a, b) => a - b);
  const [median = 0, longest = 0] = [delays[FOLLOWED / 2], delays.at(-1)];
  console.log(
    `| ${name} | ${records} | ${seconds.toFixed(1)} s | ${Math.round(records / seconds)} | ${processor.toFixed(1)} s | ${memoryOf(populator.pid).peakMiB.toFixed(0)} MiB | ${median.toFixed(0)} ms | ${longest.toFixed(0)} ms |`,
  );
  await populator.kill();
}

async function lastRecord({ recordLog }: MetadataProcess): Promise<number> {
  const args = { rpcArgs: [{ limit: RECORDS * 2 }], subLevel: [], logName: 's3-recordlog' };
  const { info } = (await recordLog.call('readRecords', args)) as { info: { end: number } };
  return info.end;
}

const teardown = new Teardown();
try {
  const store = await mkdtemp(path.join(os.tmpdir(), 'zenko-bench-'));
  teardown.after(() => rm(store, { recursive: true, force: true }));
  const metadata = await startMetadata(teardown, store);
  for (let i = 0; i < RECORDS; i += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, RECORDS - i) }, (_, j) =>
      putEntry(metadata, 'bench', `k${i + j}`, VALUE),
    );
    await Promise.all(some);
  }
  const own = path.join(store, 'own');
  await writeExtension(path.join(own, 'everything'));
  console.log(
    '| queue | records | time, with the start | records/s | processor time | peak memory | put to published, median | longest |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  await measure('files', teardown, metadata, { EXTENSIONS_PATH: own });
  if (ownKafkaMissing === false) {
    const { hosts } = await startKafka(teardown);
    await measure('kafka', teardown, metadata, { EXTENSIONS_PATH: own, KAFKA_HOSTS: hosts });
  }
} finally {
  await teardown.run();
}
