/**
 * Pages of a large bucket: `node bench/dist/metadata-listing.js [keys] [page]`. As CloudServer does it, a page asks
 * for all that follows a key and hangs up when it has enough; what the module read for it is counted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { RpcClient, type RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { closeLevel, openLevel, writeBatch } from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { leveldown } from '@zenko-modules/metadata-module/leveldowns/leveldown-binding';
import { Teardown, timed } from './measure.js';

const MAIN = fileURLToPath(new URL('../../metadata-module/dist/main.js', import.meta.url));
const VALUE = JSON.stringify({ 'content-length': 1, pad: 'x'.repeat(700) });
const FILL = 1000;

const keys = Number(process.argv[2] ?? 100_000);
const page = Number(process.argv[3] ?? 1000);
const teardown = new Teardown();
try {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-bench-'));
  teardown.after(() => rm(folder, { recursive: true }));
  const level = leveldown(path.join(folder, 'rootDB'));
  await openLevel(level);
  const keyOf = (n: number): string => `dir/object-${String(n).padStart(9, '0')}`;
  for (let first = 0; first < keys; first += FILL) {
    const batch = Array.from({ length: Math.min(FILL, keys - first) }, (_, n) => ({
      type: 'put' as const,
      key: `!bucket!${keyOf(first + n)}`,
      value: VALUE,
    }));
    await writeBatch(level, batch, false);
  }
  await closeLevel(level);

  const env = { METADATA_PATH: folder, METADATA_PORT: '0', METADATA_PROBE_PORT: '0', LOG_LEVEL: 'warn' };
  const { ports } = await startDaemon(teardown, { entry: MAIN, env });
  const url = `http://127.0.0.1:${ports.METADATA_PORT ?? 0}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  teardown.after(() => client.close());
  const entriesRead = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${ports.METADATA_PROBE_PORT ?? 0}/metrics`)).text();
    return Number(/^metadata_entries_read_total (\S+)$/m.exec(text)?.[1]);
  };
  const list = async (range: unknown, wanted: number): Promise<number> => {
    let count = 0;
    const stream = await client.call('createReadStream', { rpcArgs: [range], subLevel: ['bucket'] });
    for await (const item of stream as RpcStream) if (item !== null && ++count === wanted) break;
    return count;
  };
  await list({}, 1);
  console.log(`${keys} keys`);
  for (const [name, range, wanted] of [
    ['first page', {}, page],
    ['page in the middle', { gt: keyOf(Math.floor(keys / 2)) }, page],
    ['the whole bucket', {}, Infinity],
  ] as const) {
    const before = await entriesRead();
    const { result, seconds } = await timed(() => list(range, wanted));
    const read = (await entriesRead()) - before;
    console.log(`${name}: ${result} keys in ${(seconds * 1000).toFixed(0)} ms, ${read} read from the store`);
  }
} finally {
  await teardown.run();
}
