/**
 * The memcached store behind the data module, by chunk size and window: `node bench/dist/data-memcached.js [MiB]`.
 * For each it sends a blob through the module and reads it back, compares the SHA-256, and prints the peak of the
 * module's resident memory.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { generatedBytes } from '@zenko-modules/data-module/testing/generated-bytes';
import { BlobClient, cpuSecondsOf, memoryOf, MiB, smallRate, Teardown } from './measure.js';

const MAIN = fileURLToPath(new URL('../../data-module/dist/main.js', import.meta.url));

async function run(size: number, chunk: number, window: number): Promise<void> {
  const teardown = new Teardown();
  try {
    const { port } = await startMemcached(teardown, { args: ['-M', '-m', '3072'] });
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
      LOG_LEVEL: 'warn',
    };
    const daemon = await startDaemon(teardown, { entry: MAIN, env });
    const client = new BlobClient(daemon.ports.DATA_PORT ?? 0);
    teardown.after(() => client.close());
    const cpu = [cpuSecondsOf(daemon.pid)];
    const sent = await client.put(generatedBytes(1, size), size, true);
    cpu.push(cpuSecondsOf(daemon.pid));
    const got = await client.get(sent.location, true);
    cpu.push(cpuSecondsOf(daemon.pid));
    const perGiB = (from: number): string =>
      ((((cpu[from + 1] ?? 0) - (cpu[from] ?? 0)) * 1024 * MiB) / size).toFixed(2);
    await client.delete(sent.location);
    const { peakMiB } = memoryOf(daemon.pid);
    const rate = await smallRate(client, 2000, 4096, 8);
    console.log(
      [
        String(chunk).padStart(9),
        String(window).padStart(6),
        `${(size / MiB / sent.seconds).toFixed(0)} MiB/s`.padStart(11),
        `${(size / MiB / got.seconds).toFixed(0)} MiB/s`.padStart(11),
        perGiB(0).padStart(9),
        perGiB(1).padStart(7),
        (sent.sha256 === got.sha256 ? 'equal' : 'DIFFERENT').padStart(9),
        `${peakMiB.toFixed(0)} MiB`.padStart(9),
        String(rate.puts).padStart(8),
        String(rate.gets).padStart(8),
      ].join(''),
    );
    if (sent.sha256 !== got.sha256) process.exitCode = 1;
  } finally {
    await teardown.run();
  }
}

const size = Number(process.argv[2] ?? 1024) * MiB;
const chunks = (process.argv[3] ?? '524000').split(',').map(Number);
const windows = (process.argv[4] ?? '4').split(',').map(Number);
console.log(`one blob of ${size / MiB} MiB through the module and back; then 2000 blobs of 4 KiB, 8 at once`);
console.log('                                         CPU s/GiB');
console.log('    chunk window        put        get      put    get  SHA-256 peak RSS4K put/s   get/s');
for (const chunk of chunks) for (const window of windows) await run(size, chunk, window);
