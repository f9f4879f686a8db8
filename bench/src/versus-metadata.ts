/**
 * The metadata module of two checkouts beside each other: `node bench/dist/versus-metadata.js THIS OTHER [--turns N]`.
 * One client for both: see `versus/turns.ts`.
 */
import { RpcClient, type RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import type { Teardown } from './measure.js';
import { compare, forSeconds, type Row, type Side, startOf } from './versus/turns.js';

const VALUE = JSON.stringify({ 'content-length': 1, pad: 'x'.repeat(700) });
const KEYS = 20_000;
const PAGE = 1000;
const SECONDS = 2;
const IN_FLIGHT = 32;

interface MetadataSide extends Side {
  readonly client: RpcClient;
  /** Keys that were written to the bucket of writes. */
  written: number;
}

const keyOf = (n: number): string => `dir/object-${String(n).padStart(9, '0')}`;

async function start(teardown: Teardown, checkout: string): Promise<MetadataSide> {
  const { pid, ports } = await startOf(teardown, checkout, 'metadata-module/dist/main.js', folder => ({
    METADATA_PATH: folder,
    METADATA_PORT: '0',
    METADATA_PROBE_PORT: '0',
    LOG_LEVEL: 'warn',
  }));
  const url = `http://127.0.0.1:${ports.METADATA_PORT ?? 0}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  teardown.after(() => client.close());
  const side = { pid, client, written: 0 };
  let next = 0;
  const fill = async (): Promise<void> => {
    while (next < KEYS) await put(side, 'read', keyOf(next++), {});
  };
  await Promise.all(Array.from({ length: 256 }, fill));
  return side;
}

function put({ client }: MetadataSide, bucket: string, key: string, options: object): Promise<unknown> {
  return client.call('put', { rpcArgs: [key, VALUE, options], subLevel: [bucket] });
}

function get({ client }: MetadataSide, n: number): Promise<unknown> {
  // A step that shares no factor with the number of keys visits all of them, in no order of the store's.
  return client.call('get', { rpcArgs: [keyOf((n * 7919) % KEYS), {}], subLevel: ['read'] });
}

/** As CloudServer does it: all that follows a key, each item looked at when its message comes, until there is enough. */
async function list({ client }: MetadataSide, range: object, wanted: number): Promise<number> {
  let count = 0;
  const stream = await client.call('createReadStream', { rpcArgs: [range], subLevel: ['read'] });
  for await (const items of (stream as RpcStream).messages()) {
    for (const item of items) if (item !== null) count += 1;
    if (count >= wanted) break;
  }
  return count;
}

const writing = (options: object) => (side: MetadataSide) =>
  forSeconds(SECONDS, IN_FLIGHT, () => put(side, 'written', `k${side.written++}`, options));

const ROWS: readonly Row<MetadataSide>[] = [
  { name: 'metadata get, 32 in flight', run: side => forSeconds(SECONDS, IN_FLIGHT, n => get(side, n)) },
  { name: 'metadata get, alone', run: side => forSeconds(SECONDS, 1, n => get(side, n)) },
  { name: 'metadata put, 32 in flight', run: writing({}) },
  { name: 'versioned put, 32 in flight', run: writing({ versioning: true }) },
  {
    name: 'page of 1000',
    run: side => forSeconds(SECONDS, 1, n => list(side, { gt: keyOf((n * 7919) % (KEYS - PAGE)) }, PAGE)),
  },
  {
    name: `whole listing, of ${KEYS} keys`,
    run: side => forSeconds(SECONDS, 1, () => list(side, {}, Infinity)),
  },
];

await compare(start, ROWS);
