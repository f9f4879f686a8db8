/**
 * The disk store behind the data module, beside the plainest file server, with and without its syncs:
 * `node bench/dist/data-disk.js [MiB]`. Only what syncs keeps what it has acknowledged when the machine stops.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { BlobClient, cpuSecondsOf, memoryOf, MiB, repeated, smallRate, Teardown } from './measure.js';

const inDist = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const PIECE = Buffer.alloc(64 * 1024, 'x');
const SMALL_COUNT = 2000;
const SMALL_BYTES = 4096;
const AT_ONCE = 8;

interface Contestant {
  readonly name: string;
  readonly entry: string;
  readonly args: (folder: string) => readonly string[];
}

const CONTESTANTS: readonly Contestant[] = [
  { name: 'data module', entry: inDist('../../data-module/dist/main.js'), args: () => [] },
  { name: 'plain, syncing', entry: inDist('naive-file-server.js'), args: folder => [folder, 'sync'] },
  { name: 'plain, not syncing', entry: inDist('naive-file-server.js'), args: folder => [folder] },
];

async function run({ name, entry, args }: Contestant, size: number): Promise<void> {
  const teardown = new Teardown();
  try {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-bench-'));
    teardown.after(() => rm(folder, { recursive: true }));
    const env = {
      DATA_DIR: folder,
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      LOG_LEVEL: 'warn',
      DATA_WORKERS: '1',
    };
    const server = await startDaemon(teardown, { entry, args: args(path.join(folder, 'files')), env });
    const client = new BlobClient(server.ports.DATA_PORT ?? 0);
    teardown.after(() => client.close());
    const cpuBefore = cpuSecondsOf(server.pid);
    const sent = await client.put(repeated(PIECE, size), size);
    const got = await client.get(sent.location);
    const cpu = cpuSecondsOf(server.pid) - cpuBefore;
    if (got.bytes !== size) throw new Error(`${name} answered ${got.bytes} of ${size} bytes`);
    await client.delete(sent.location);
    const { peakMiB } = memoryOf(server.pid);
    const rate = await smallRate(client, SMALL_COUNT, SMALL_BYTES, AT_ONCE);
    console.log(
      [
        name.padEnd(20),
        `${(size / MiB / sent.seconds).toFixed(0)} MiB/s`.padStart(11),
        `${(size / MiB / got.seconds).toFixed(0)} MiB/s`.padStart(11),
        `${((cpu * 1024 * MiB) / size).toFixed(2)} s`.padStart(9),
        `${peakMiB.toFixed(0)} MiB`.padStart(9),
        `${rate.puts}/s`.padStart(9),
        `${rate.gets}/s`.padStart(9),
      ].join(''),
    );
  } finally {
    await teardown.run();
  }
}

const size = Number(process.argv[2] ?? 1024) * MiB;
console.log(
  `one blob of ${size / MiB} MiB to the server and back; then ${SMALL_COUNT} of ${SMALL_BYTES} bytes, ${AT_ONCE} at once`,
);
console.log('                            put        get  CPU/GiB peak RSS   4K put   4K get');
for (const contestant of CONTESTANTS) await run(contestant, size);
