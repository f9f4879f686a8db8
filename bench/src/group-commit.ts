/**
 * What one owner of a mongodown store writes per second, over a network that adds a millisecond each way, and
 * where that ends: `node bench/dist/group-commit.js [seconds for each line]`. The server is that of the tests.
 *
 * Writes that come while a batch is on its way share the next one, so the rate grows with what is in flight
 * until a processor is full: the columns of processor time say whose, and what one write costs of it.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { isErrorType } from '@zenko-modules/common/errors';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { startDelay } from './delay-proxy.js';
import { cpuSecondsOf, Teardown } from './measure.js';

const MAIN = fileURLToPath(new URL('../../metadata-module/dist/main.js', import.meta.url));
const VALUE = JSON.stringify({ 'content-length': 1, pad: 'x'.repeat(700) });
const IN_FLIGHT = [1, 4, 16, 64, 256, 1024, 4096] as const;
const SOCKETS = 16;
const KEYS = 2000;

interface Counters {
  readonly batches: number;
  readonly commits: number;
  readonly batchSeconds: number;
}

async function countersOf(probePort: number): Promise<Counters> {
  const page = await (await fetch(`http://127.0.0.1:${probePort}/metrics`)).text();
  const read = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1]);
  return {
    batches: read('metadata_batch_commits_count'),
    commits: read('metadata_batch_commits_sum'),
    batchSeconds: read('metadata_batch_seconds_sum'),
  };
}

async function run(teardown: Teardown, seconds: number): Promise<void> {
  const url = await startDelay(teardown, await startMongodb(teardown));
  const { pid, ports } = await startDaemon(teardown, {
    entry: MAIN,
    env: {
      METADATA_BACKEND: 'mongodown',
      MONGODB_URL: url,
      // Where the server is the bottleneck, the last lines have batches that take it long.
      MONGODB_TIMEOUT_MS: '60000',
      MONGODB_LEASE_MS: '60000',
      MONGODB_DATABASE: `bench-${randomUUID()}`,
      DATA_DIR: await temporaryFolder(teardown),
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      LOG_LEVEL: 'warn',
    },
  });
  const probePort = ports.METADATA_PROBE_PORT ?? 0;
  const clients = Array.from({ length: SOCKETS }, () => {
    const options = { url: `http://127.0.0.1:${ports.METADATA_PORT ?? 0}`, namespace: METADATA_NAMESPACE };
    return new RpcClient(options);
  });
  teardown.after(() => clients.forEach(client => client.close()));
  console.log(
    'in flight  writes/s  median ms    p99 ms  writes/batch  batch ms  module CPU  module ms/write  clients CPU',
  );
  let next = 0;
  for (const inFlight of IN_FLIGHT) {
    const times: number[] = [];
    let failures = 0;
    const before = await countersOf(probePort);
    const [moduleBefore, ownBefore] = [cpuSecondsOf(pid), process.cpuUsage()];
    const began = performance.now();
    const worker = async (_: unknown, index: number): Promise<void> => {
      const client = clients[index % SOCKETS] as RpcClient;
      while (performance.now() - began < seconds * 1000) {
        const started = performance.now();
        next += 1;
        const key = `k${next % KEYS}`;
        try {
          await client.call('put', { rpcArgs: [key, VALUE, {}], subLevel: ['bucket'] });
          times.push(performance.now() - started);
        } catch (err) {
          if (!isErrorType(err, 'ServiceUnavailable', 'SlowDown')) throw err;
          failures += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
    const took = (performance.now() - began) / 1000;
    const cpu = cpuSecondsOf(pid) - moduleBefore;
    const own = process.cpuUsage(ownBefore);
    const after = await countersOf(probePort);
    const batches = after.batches - before.batches;
    times.sort((a, b) => a - b);
    const quantile = (q: number): string => (times[Math.floor(times.length * q)] ?? 0).toFixed(1);
    console.log(
      [
        String(inFlight).padStart(9),
        (times.length / took).toFixed(0).padStart(10),
        quantile(0.5).padStart(11),
        quantile(0.99).padStart(10),
        ((after.commits - before.commits) / batches).toFixed(1).padStart(14),
        (((after.batchSeconds - before.batchSeconds) / batches) * 1000).toFixed(1).padStart(10),
        `${((cpu / took) * 100).toFixed(0)} %`.padStart(12),
        ((cpu / times.length) * 1000).toFixed(3).padStart(17),
        `${(((own.user + own.system) / 1e6 / took) * 100).toFixed(0)} %`.padStart(13),
        failures === 0 ? '' : `  ${failures} calls failed`,
      ].join(''),
    );
  }
}

const teardown = new Teardown();
try {
  await run(teardown, Number(process.argv[2] ?? 5));
} finally {
  await teardown.run();
}
