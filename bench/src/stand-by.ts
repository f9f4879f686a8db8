/**
 * Reads through the owner of a mongodown store and through a stand-by, which passes them on: `node
 * bench/dist/stand-by.js [seconds for each line]`. Processor time of each module for one call says what a
 * stand-by that answered by itself could take off the owner. The server is that of the tests.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { RpcClient, type RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { cpuSecondsOf, Teardown } from './measure.js';

const MAIN = fileURLToPath(new URL('../../metadata-module/dist/main.js', import.meta.url));
const VALUE = JSON.stringify({ 'content-length': 1, pad: 'x'.repeat(700) });
const KEYS = 1000;
const IN_FLIGHT = 32;

async function run(teardown: Teardown, seconds: number): Promise<void> {
  const env = {
    METADATA_BACKEND: 'mongodown',
    MONGODB_URL: await startMongodb(teardown),
    MONGODB_DATABASE: `bench-${randomUUID()}`,
    MONGODB_IN_USE: 'wait',
    MONGODB_TIMEOUT_MS: '30000',
    MONGODB_LEASE_MS: '60000',
    METADATA_PORT: '0',
    METADATA_PROBE_PORT: '0',
    LOG_LEVEL: 'warn',
  };
  const start = async (): Promise<DaemonProcess> =>
    startDaemon(teardown, { entry: MAIN, env: { ...env, DATA_DIR: await temporaryFolder(teardown) } });
  const [owner, standBy] = [await start(), await start()];
  const clientOf = ({ ports }: DaemonProcess): RpcClient => {
    const url = `http://127.0.0.1:${ports.METADATA_PORT ?? 0}`;
    const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
    teardown.after(() => client.close());
    return client;
  };
  const ways = { owner: clientOf(owner), 'stand-by': clientOf(standBy) };
  const put = (n: number): Promise<unknown> =>
    ways.owner.call('put', { rpcArgs: [`k${n}`, VALUE, {}], subLevel: ['bucket'] });
  await Promise.all(Array.from({ length: KEYS }, (_, n) => put(n)));

  const calls = {
    get: (client: RpcClient, n: number) =>
      client.call('get', { rpcArgs: [`k${n % KEYS}`, {}], subLevel: ['bucket'] }),
    'page of 100': async (client: RpcClient) => {
      const options = { gte: 'k', limit: 100 };
      const stream = await client.call('createReadStream', { rpcArgs: [options], subLevel: ['bucket'] });
      for await (const items of (stream as RpcStream).messages()) {
        if (items.length === 0) throw new Error('an empty message');
      }
    },
  };
  console.log('call         through     calls/s  owner CPU ms/call  stand-by CPU ms/call');
  for (const [name, call] of Object.entries(calls)) {
    for (const [through, client] of Object.entries(ways)) {
      const before = [owner, standBy].map(({ pid }) => cpuSecondsOf(pid));
      const began = performance.now();
      let done = 0;
      const worker = async (): Promise<void> => {
        while (performance.now() - began < seconds * 1000) {
          await call(client, done);
          done += 1;
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      const took = (performance.now() - began) / 1000;
      const [ownerMs = '', standByMs = ''] = [owner, standBy].map(({ pid }, index) =>
        (((cpuSecondsOf(pid) - (before[index] ?? 0)) / done) * 1000).toFixed(3),
      );
      console.log(
        `${name.padEnd(13)}${through.padEnd(10)}${(done / took).toFixed(0).padStart(9)}` +
          `${ownerMs.padStart(19)}${standByMs.padStart(22)}`,
      );
    }
  }
}

const teardown = new Teardown();
try {
  await run(teardown, Number(process.argv[2] ?? 4));
} finally {
  await teardown.run();
}
