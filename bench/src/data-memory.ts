/**
 * The resident memory of the data module while 4 GiB go through each store and come back:
 * `node bench/dist/data-memory.js [disk,packed,memcached] [GiB]`.
 *
 * Once as one blob, once as blobs of 64 MiB, 4 at a time; memcached, which gets 2 GiB, has blobs of at most 1 GiB. Each is
 * put, read and deleted. Prints the highest that Linux saw of the module's processes (`VmHWM`), each by itself: with
 * `DATA_WORKERS=1`, the only one; with 2, the first, which serves no requests, and its workers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { BlobClient, memoryOf, MiB, repeated, Teardown, timed } from './measure.js';

const MAIN = fileURLToPath(new URL('../../data-module/dist/main.js', import.meta.url));
const GiB = 1024 * MiB;
const PIECE = Buffer.alloc(64 * 1024, 'x');
const SMALLER_BYTES = 64 * MiB;
const AT_ONCE = 4;

interface Load {
  readonly size: number;
  readonly count: number;
  readonly atOnce: number;
}

/** Puts, reads and deletes blobs, one after the other in each of `atOnce` lines. */
async function run(client: BlobClient, { size, count, atOnce }: Load): Promise<void> {
  let begun = 0;
  const line = async (): Promise<void> => {
    while (begun++ < count) {
      const { location } = await client.put(repeated(PIECE, size), size);
      const { bytes } = await client.get(location);
      if (bytes !== size) throw new Error(`${bytes} bytes came back of ${size}`);
      await client.delete(location);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, line));
}

function processesOf(pid: number): number[] {
  return [
    pid,
    ...readdirSync(`/proc/${pid}/task`)
      .flatMap(task => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
      .filter(child => child !== '')
      .map(Number),
  ];
}

async function measure(backend: string, workers: number, load: Load): Promise<void> {
  const teardown = new Teardown();
  try {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-bench-'));
    teardown.after(() => rm(folder, { recursive: true }));
    const memcached =
      backend === 'memcached' ? await startMemcached(teardown, { args: ['-M', '-m', '2048'] }) : undefined;
    const env = {
      DATA_BACKEND: backend,
      DATA_DIR: folder,
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      DATA_WORKERS: String(workers),
      LOG_LEVEL: 'silent',
      ...(memcached === undefined ? {} : { MEMCACHED_HOSTS: `127.0.0.1:${memcached.port}` }),
    };
    const { pid, ports } = await startDaemon(teardown, { entry: MAIN, env });
    const client = new BlobClient(ports.DATA_PORT ?? 0);
    teardown.after(() => client.close());
    const { seconds } = await timed(() => run(client, load));
    const peaks = processesOf(pid).map(each => memoryOf(each).peakMiB.toFixed(0));
    console.log(
      [
        backend.padEnd(10),
        String(workers).padStart(7),
        `${load.count} x ${load.size / MiB} MiB`.padStart(14),
        String(load.atOnce).padStart(8),
        `${((load.size * load.count) / MiB / seconds).toFixed(0)} MiB/s`.padStart(12),
        `  ${peaks.join(', ')} MiB`,
      ].join(''),
    );
  } finally {
    await teardown.run();
  }
}

const backends = (process.argv[2] ?? 'disk,packed,memcached').split(',');
const total = Number(process.argv[3] ?? 4) * GiB;
console.log('store     workers         blobs at once  there, back  peak of each process');
for (const backend of backends)
  for (const workers of backend === 'packed' ? [1] : [1, 2]) {
    const largest = backend === 'memcached' ? Math.min(total, GiB) : total;
    await measure(backend, workers, { size: largest, count: total / largest, atOnce: 1 });
    await measure(backend, workers, { size: SMALLER_BYTES, count: total / SMALLER_BYTES, atOnce: AT_ONCE });
  }
