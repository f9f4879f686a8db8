/**
 * The data module of two checkouts, each with its disk store, beside each other:
 * `node bench/dist/versus-data.js THIS OTHER [--turns N]`. The load is made by `wrk -t1`. See `versus/turns.ts`.
 * With BENCH_BACKEND=packed the first has its packed store instead.
 */
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MiB, type Teardown } from './measure.js';
import { compare, type Row, type Side, startOf } from './versus/turns.js';
import { wrk } from './versus/wrk.js';

const KiB = 1024;

/** Blobs that a row of GETs asks for, in turn. */
const READ_COUNT: Readonly<Record<number, number>> = { [KiB]: 2000, [MiB]: 100, [32 * MiB]: 4 };

interface DataSide extends Side {
  readonly url: string;
  readonly backend: string;
  readonly folder: string;
  /** By size: a file with the paths of the blobs that are there to be read. */
  readonly targets: Map<number, string>;
}

async function start(teardown: Teardown, checkout: string, isOther: boolean): Promise<DataSide> {
  const backend = isOther ? 'disk' : (process.env.BENCH_BACKEND ?? 'disk');
  let folder = '';
  const { pid, ports } = await startOf(teardown, checkout, 'data-module/dist/main.js', made => {
    folder = made;
    return { DATA_DIR: made, DATA_BACKEND: backend, DATA_PORT: '0', DATA_PROBE_PORT: '0' };
  });
  const side = {
    pid,
    backend,
    folder,
    url: `http://127.0.0.1:${ports.DATA_PORT ?? 0}`,
    targets: new Map<number, string>(),
  };
  for (const [size, count] of Object.entries(READ_COUNT)) await fill(side, Number(size), count);
  return side;
}

async function fill({ url, folder, targets }: DataSide, size: number, count: number): Promise<void> {
  const body = Buffer.alloc(size, 'x');
  const locations: string[] = [];
  const worker = async (): Promise<void> => {
    while (locations.length < count) {
      const res = await fetch(`${url}/DataFile/`, { method: 'PUT', body });
      locations.push(res.headers.get('location') ?? '');
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const file = path.join(folder, `read-${size}`);
  await writeFile(file, `${locations.join('\n')}\n`);
  targets.set(size, file);
}

function put(name: string, size: number, connections: number): Row<DataSide> {
  return {
    name: `${name} PUT, ${connections} at once`,
    run: side => wrk(side.url, 'put', connections, { BENCH_SIZE: String(size) }),
    ...(size < MiB ? {} : { after: emptyWritten }),
  };
}

function get(name: string, size: number, connections: number, range?: string): Row<DataSide> {
  return {
    name: `${name} ${range === undefined ? 'GET' : 'ranged GET'}, ${connections} at once`,
    run: side =>
      wrk(side.url, 'get', connections, {
        BENCH_TARGETS: side.targets.get(size) ?? '',
        ...(range === undefined ? {} : { BENCH_RANGE: range }),
      }),
  };
}

/**
 * What is written would fill the disk, and its way there slow down what is measured next. Files are emptied, not removed:
 * for a minute after many have been removed, ext4 passes over the place of each whenever it makes another.
 */
async function emptyWritten({ backend, folder, targets }: DataSide): Promise<void> {
  if (backend !== 'disk') return;
  const kept = new Set<string>();
  for (const file of targets.values())
    for (const location of (await readFile(file, 'utf8')).split('\n')) kept.add(path.basename(location));
  const volume = path.join(folder, 'data');
  for (const hash of await readdir(volume)) {
    if (!/^\d+$/.test(hash)) continue;
    for (const key of await readdir(path.join(volume, hash))) {
      const file = path.join(volume, hash, key);
      if (!kept.has(key) && (await stat(file)).size >= MiB) await truncate(file);
    }
  }
}

const ROWS: readonly Row<DataSide>[] = [
  put('1 KiB', KiB, 16),
  get('1 KiB', KiB, 16),
  get('1 KiB', KiB, 16, 'bytes=100-611'),
  put('1 MiB', MiB, 16),
  get('1 MiB', MiB, 16),
  put('32 MiB', 32 * MiB, 4),
  get('32 MiB', 32 * MiB, 4),
];

await compare(start, ROWS);
