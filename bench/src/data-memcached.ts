/**
 * The memcached store behind the data module, by chunk size and window:
 * `node bench/dist/data-memcached.js [MiB] [chunk bytes,...] [window,...]`, without the last two by its defaults.
 *
 * For each it sends a blob through the module and reads it back, compares the SHA-256, and prints the processor time and
 * the peak of the module's resident memory, and how much of the memory that memcached took for the blob holds bytes of
 * it, and the peak again after many uploads at once. Then it fills a memcached of 64 MiB, and prints how many MiB of blobs that takes before it refuses.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { MEMCACHED_STORE_SETTINGS } from '@zenko-modules/data-module/stores/memcached/memcached-settings';
import { generatedBytes } from '@zenko-modules/data-module/testing/generated-bytes';
import { askMemcached } from '@zenko-modules/data-module/testing/memcached-items';
import { BlobClient, cpuSecondsOf, memoryOf, MiB, repeated, smallRate, Teardown } from './measure.js';

const MAIN = fileURLToPath(new URL('../../data-module/dist/main.js', import.meta.url));

/** Uploads at the same time. */
const CROWD = 100;
const CROWD_BYTES = 4 * MiB;
const PIECE = Buffer.alloc(64 * 1024, 'x');

interface Subject {
  readonly client: BlobClient;
  readonly pid: number;
  /** Bytes that memcached has taken for its items, used or not. */
  readonly taken: () => Promise<number>;
}

/** A module over a memcached of `memoryMiB`, for the time of `work`. */
async function onMemcached<T>(
  { chunk, window, memoryMiB }: { chunk: number; window: number; memoryMiB: number },
  work: (subject: Subject) => Promise<T>,
): Promise<T> {
  const teardown = new Teardown();
  try {
    const { port } = await startMemcached(teardown, { args: ['-M', '-m', String(memoryMiB)] });
    const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-bench-'));
    teardown.after(() => rm(folder, { recursive: true }));
    const env = {
      DATA_BACKEND: 'memcached',
      MEMCACHED_HOSTS: `127.0.0.1:${port}`,
      MEMCACHED_CHUNK_BYTES: String(chunk),
      MEMCACHED_WINDOW: String(window),
      DATA_DIR: folder,
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      DATA_WORKERS: '1',
      LOG_LEVEL: 'silent',
    };
    const { pid, ports } = await startDaemon(teardown, { entry: MAIN, env });
    const client = new BlobClient(ports.DATA_PORT ?? 0);
    teardown.after(() => client.close());
    const taken = async (): Promise<number> => {
      const stats = await askMemcached({ host: '127.0.0.1', port }, 'stats slabs', /END\r\n$/);
      return Number(/total_malloced (\d+)/.exec(stats)?.[1]);
    };
    return await work({ client, pid, taken });
  } finally {
    await teardown.run();
  }
}

/** How many MiB of blobs of `size` bytes a memcached of 64 MiB takes. */
function capacity(chunk: number, size: number): Promise<number> {
  return onMemcached({ chunk, window: 4, memoryMiB: 64 }, async ({ client }) => {
    for (let stored = 0; ; stored += size) {
      try {
        await client.put(generatedBytes(stored, size), size);
      } catch {
        return stored / MiB;
      }
    }
  });
}

async function run(size: number, chunk: number, window: number): Promise<string[]> {
  return onMemcached({ chunk, window, memoryMiB: 3072 }, async ({ client, pid, taken }) => {
    const perGiB = (seconds: number): string => ((seconds * 1024 * MiB) / size).toFixed(2);
    const before = { cpu: cpuSecondsOf(pid), taken: await taken() };
    const sent = await client.put(generatedBytes(1, size), size, true);
    const between = cpuSecondsOf(pid);
    const got = await client.get(sent.location, true);
    const after = { cpu: cpuSecondsOf(pid), taken: await taken() };
    await client.delete(sent.location);
    const { peakMiB } = memoryOf(pid);
    const rate = await smallRate(client, 1000, 4096, 8);
    await Promise.all(
      Array.from({ length: CROWD }, () => client.put(repeated(PIECE, CROWD_BYTES), CROWD_BYTES)),
    );
    if (sent.sha256 !== got.sha256) process.exitCode = 1;
    return [
      `${(size / MiB / sent.seconds).toFixed(0)} MiB/s`,
      `${(size / MiB / got.seconds).toFixed(0)} MiB/s`,
      perGiB(between - before.cpu),
      perGiB(after.cpu - between),
      sent.sha256 === got.sha256 ? 'equal' : 'DIFFERENT',
      `${peakMiB.toFixed(0)} MiB`,
      `${((100 * size) / (after.taken - before.taken)).toFixed(0)} %`,
      String(rate.puts),
      String(rate.gets),
      `${memoryOf(pid).peakMiB.toFixed(0)} MiB`,
    ];
  });
}

const numbers = (text: string): readonly number[] => text.split(',').map(Number);
const { MEMCACHED_CHUNK_BYTES, MEMCACHED_WINDOW } = MEMCACHED_STORE_SETTINGS;
const size = Number(process.argv[2] ?? 1024) * MiB;
const chunks = numbers(process.argv[3] ?? MEMCACHED_CHUNK_BYTES.default ?? '');
const windows = numbers(process.argv[4] ?? MEMCACHED_WINDOW.default ?? '');

const print = (cells: readonly string[]): void =>
  console.log(cells.map((cell, i) => cell.padStart(i === 0 ? 9 : 11)).join(''));

console.log(
  `one blob of ${size / MiB} MiB through the module and back; then 1000 blobs of 4 KiB, 8 at once; then ${CROWD} of ${CROWD_BYTES / MiB} MiB, all at once`,
);
print(['', '', '', '', 'CPU s/GiB', 'CPU s/GiB', '', '', 'memcached', '', '', 'then']);
print(['chunk', 'window', 'put', 'get', 'put', 'get', 'SHA-256', 'peak RSS', 'used', '4K put/s', '4K get/s']);
for (const chunk of chunks) {
  for (const window of windows) print([String(chunk), String(window), ...(await run(size, chunk, window))]);
}

const BLOBS = [64 * 1024, MiB, 8 * MiB] as const;
console.log('\nMiB of blobs that a memcached of 64 MiB (-m 64 -M) takes, by the size of the blobs');
print(['chunk', '64 KiB', '1 MiB', '8 MiB']);
for (const chunk of chunks) {
  const taken: number[] = [];
  for (const blob of BLOBS) taken.push(await capacity(chunk, blob));
  print([String(chunk), ...taken.map(mib => mib.toFixed(1))]);
}
