/**
 * Each store behind the data module, and those that several modules share with one, two and four of them:
 * `node bench/dist/scaling.js [seconds for each figure] [store,...]`. Prints the table of docs/scaling.md.
 *
 * Each module is one process (DATA_WORKERS=1), with the client, the servers and whatever else runs beside it on the same
 * machine. MongoDB is that of the tests, the S3 cluster is moto, memcached is memcached: what the rates say is what
 * these do together, and the processor time of the modules is what is worth comparing.
 */
import { fileURLToPath } from 'node:url';
import { S3 } from '@aws-sdk/client-s3';
import { randomUUID } from 'node:crypto';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { mongodbMissing, startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { findInPath, freePort, startTestServer } from '@zenko-modules/common/testing/test-server';
import { BlobClient, cpuSecondsOf, MiB, repeated, Teardown } from './measure.js';

const MAIN = fileURLToPath(new URL('../../data-module/dist/main.js', import.meta.url));
const SMALL = 4096;
const LARGE = 32 * MiB;
const AT_ONCE = { small: 16, large: 2 } as const;
const PIECE = Buffer.alloc(64 * 1024, 'x');
/** Of which blobs are read, and listed. */
const KEPT = 500;

const MOTO = process.env.MOTO_SERVER || findInPath('moto_server');
const MOTO_KEY = 'testing';

/** Resolves with the URL of an S3 that has the bucket. */
async function startMoto(teardown: Teardown, bucket: string): Promise<string> {
  const port = await freePort();
  const args = ['-H', '127.0.0.1', '-p', String(port)];
  await startTestServer(teardown, { program: MOTO ?? '', args, port });
  const endpoint = `http://127.0.0.1:${port}`;
  const credentials = { accessKeyId: MOTO_KEY, secretAccessKey: MOTO_KEY };
  const s3 = new S3({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  await s3.createBucket({ Bucket: bucket });
  s3.destroy();
  return endpoint;
}

interface Store {
  readonly name: string;
  /** Why it cannot be measured here. */
  readonly missing?: string | false;
  readonly modules: readonly number[];
  /** Starts what it needs; resolves with the settings of each module. */
  readonly prepare: (teardown: Teardown) => Promise<Record<string, string>>;
}

const ALONE = [1] as const;
const SHARED = [1, 2, 4] as const;

const STORES: readonly Store[] = [
  { name: 'disk', modules: ALONE, prepare: () => Promise.resolve({}) },
  { name: 'packed', modules: ALONE, prepare: () => Promise.resolve({}) },
  {
    name: 'gridfs',
    missing: mongodbMissing,
    modules: SHARED,
    prepare: async teardown => ({
      MONGODB_URL: await startMongodb(teardown),
      MONGODB_DATABASE: `bench-${randomUUID()}`,
      // For a server that does one thing at a time.
      MONGODB_TIMEOUT_MS: '60000',
    }),
  },
  {
    name: 's3',
    missing: MOTO === undefined && 'needs MOTO_SERVER, or moto_server in PATH',
    modules: SHARED,
    prepare: async teardown => ({
      S3_STORE_ENDPOINT: await startMoto(teardown, 'bench'),
      S3_STORE_BUCKET: 'bench',
      S3_STORE_ACCESS_KEY: MOTO_KEY,
      S3_STORE_SECRET_KEY: MOTO_KEY,
      S3_STORE_TIMEOUT_MS: '60000',
    }),
  },
  {
    name: 'memcached',
    modules: SHARED,
    prepare: async teardown => {
      const { port } = await startMemcached(teardown, { args: ['-M', '-m', '3072'] });
      return { MEMCACHED_HOSTS: `127.0.0.1:${port}`, MEMCACHED_TIMEOUT_MS: '60000' };
    },
  },
];

interface Module {
  readonly pid: number;
  readonly port: number;
  readonly client: BlobClient;
}

async function startModule(
  teardown: Teardown,
  backend: string,
  env: Record<string, string>,
): Promise<Module> {
  const { pid, ports } = await startDaemon(teardown, {
    entry: MAIN,
    env: {
      ...env,
      DATA_BACKEND: backend,
      DATA_DIR: await temporaryFolder(teardown),
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      DATA_WORKERS: '1',
      LOG_LEVEL: 'warn',
    },
  });
  const port = ports.DATA_PORT ?? 0;
  const client = new BlobClient(port);
  teardown.after(() => client.close());
  return { pid, port, client };
}

/** What a thing costs, done for so many seconds by all modules in turn. */
interface Cost {
  readonly perSecond: number;
  /** Processor time of all modules for one, in milliseconds. */
  readonly cpuMs: number;
}

async function measure(
  modules: readonly Module[],
  { seconds, atOnce }: { readonly seconds: number; readonly atOnce: number },
  work: (module: Module, index: number) => Promise<unknown>,
): Promise<Cost> {
  const cpu = (): number => modules.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0);
  const before = cpu();
  const started = performance.now();
  const elapsed = (): number => (performance.now() - started) / 1000;
  let count = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (elapsed() < seconds) {
        const index = count++;
        await work(modules[index % modules.length] as Module, index);
      }
    }),
  );
  return { perSecond: count / elapsed(), cpuMs: ((cpu() - before) / count) * 1000 };
}

const NOT_IMPLEMENTED = 501;

/** Through one module: it is one walk. Resolves with the number of keys, none where a store cannot list them. */
async function list({ port }: Module): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/DataFile?keys`);
  if (answer.status === NOT_IMPLEMENTED) return 0;
  if (!answer.ok) throw new Error(`the listing answered ${answer.status}`);
  return (await answer.text()).split('\n').length - 1;
}

async function line({ name, prepare }: Store, count: number, seconds: number): Promise<string[]> {
  const teardown = new Teardown();
  try {
    const env = await prepare(teardown);
    const modules: Module[] = [];
    for (let index = 0; index < count; index += 1) modules.push(await startModule(teardown, name, env));
    const small = { seconds, atOnce: AT_ONCE.small };
    const large = { seconds, atOnce: AT_ONCE.large };
    const kept: string[] = [];
    const body = Buffer.alloc(SMALL, 'x');
    for (const { client } of modules) await client.put(repeated(body, SMALL), SMALL);
    const put = await measure(modules, small, async ({ client }) => {
      const { location } = await client.put(repeated(body, SMALL), SMALL);
      if (kept.length < KEPT) kept.push(location);
    });
    const get = await measure(modules, small, ({ client }, index) =>
      client.get(kept[index % kept.length] ?? ''),
    );
    let keys = 0;
    const listing = await measure(modules.slice(0, 1), { seconds, atOnce: 1 }, async module => {
      keys = await list(module);
    });
    const big: string[] = [];
    const putLarge = await measure(modules, large, async ({ client }) => {
      const { location } = await client.put(repeated(PIECE, LARGE), LARGE);
      big.push(location);
      // The servers hold all in memory, or in one file.
      if (big.length > 2 * AT_ONCE.large) await client.delete(big.shift() ?? '');
    });
    const [first = ''] = big.slice(-1);
    const getLarge = await measure(modules, large, ({ client }) => client.get(first));
    const cells = ({ perSecond, cpuMs }: Cost, unit = 1): string =>
      `${(perSecond * unit).toFixed(0)} · ${cpuMs.toFixed(cpuMs < 10 ? 2 : 0)}`;
    return [
      name,
      String(count),
      cells(put),
      cells(get),
      cells(putLarge, LARGE / MiB),
      cells(getLarge, LARGE / MiB),
      keys === 0 ? 'none' : `${(keys * listing.perSecond).toFixed(0)} · ${(listing.cpuMs / keys).toFixed(3)}`,
    ];
  } finally {
    await teardown.run();
  }
}

const seconds = Number(process.argv[2] ?? 5);
const wanted = process.argv[3]?.split(',');
const print = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);
print(['store', 'modules', 'PUT 4 KiB', 'GET 4 KiB', 'PUT 32 MiB', 'GET 32 MiB', 'keys listed']);
print(['---', '---', '---', '---', '---', '---', '---']);
for (const store of STORES) {
  if (wanted !== undefined && !wanted.includes(store.name)) continue;
  if (store.missing) {
    console.error(`${store.name} is left out: it ${store.missing}`);
    continue;
  }
  for (const count of store.modules) print(await line(store, count, seconds));
}
