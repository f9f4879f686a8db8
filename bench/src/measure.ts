/** What the benchmarks share: a module as a process of its own, its memory, and tables. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export const MiB = 1024 * 1024;

/** Peak and present resident memory of a process, in MiB (Linux). */
export function memoryOf(pid: number): { readonly nowMiB: number; readonly peakMiB: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]);
  return { nowMiB: kib('VmRSS') / 1024, peakMiB: kib('VmHWM') / 1024 };
}

/** Processor time that a process has used, in seconds (Linux): tells more than the clock on a machine that does other things too. */
export function cpuSecondsOf(pid: number): number {
  const TICKS_PER_SECOND = 100;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Runs `work`; resolves with its result and how long it took, in seconds. */
export async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}

/** Things to be undone at the end, newest first: what tests hand to `t.after`. */
export class Teardown {
  readonly #steps: (() => unknown)[] = [];

  readonly after = (step: unknown): void => {
    if (typeof step === 'function') this.#steps.push(step as () => unknown);
  };

  async run(): Promise<void> {
    for (const step of this.#steps.reverse()) await step();
  }
}

/** A body that is sent from one buffer, over and over: making it costs nothing. */
export function repeated(piece: Buffer, size: number): Readable {
  function* pieces(): Generator<Buffer> {
    for (let left = size; left > 0; left -= piece.length)
      yield left < piece.length ? piece.subarray(0, left) : piece;
  }
  return Readable.from(pieces(), { objectMode: false });
}

export interface Transfer {
  readonly sha256: string;
  readonly bytes: number;
  readonly seconds: number;
}

/** A client of the data interface that hashes what it sends and gets, unless told not to. */
export class BlobClient {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async put(body: Readable, size: number, hashed = false): Promise<Transfer & { readonly location: string }> {
    const hash = createHash('sha256');
    const started = performance.now();
    const res = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const req = this.#request('PUT', '/DataFile/', { 'content-length': size });
      req.once('response', resolve).once('error', reject);
      const source = hashed ? pipeline(body, tapped(hash), req) : pipeline(body, req);
      source.catch(reject);
    });
    res.resume();
    if (res.statusCode !== 201) throw new Error(`PUT answered ${res.statusCode ?? 0}`);
    const seconds = (performance.now() - started) / 1000;
    return { location: String(res.headers.location), sha256: hash.digest('hex'), bytes: size, seconds };
  }

  async get(location: string, hashed = false): Promise<Transfer> {
    const hash = createHash('sha256');
    let bytes = 0;
    const started = performance.now();
    const res = await new Promise<http.IncomingMessage>((resolve, reject) => {
      this.#request('GET', location, {}).once('response', resolve).once('error', reject).end();
    });
    if (res.statusCode !== 200) throw new Error(`GET answered ${res.statusCode ?? 0}`);
    for await (const piece of res) {
      bytes += (piece as Buffer).length;
      if (hashed) hash.update(piece as Buffer);
    }
    return { sha256: hash.digest('hex'), bytes, seconds: (performance.now() - started) / 1000 };
  }

  async delete(location: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const req = this.#request('DELETE', location, {});
      req
        .once('response', res => res.resume().once('end', resolve))
        .once('error', reject)
        .end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #request(method: string, path: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
    return http.request({ host: '127.0.0.1', port: this.#port, method, path, headers, agent: this.#agent });
  }
}

function tapped(hash: ReturnType<typeof createHash>) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of source) {
      hash.update(piece);
      yield piece;
    }
  };
}

/** Small blobs, `atOnce` at a time; resolves with how many per second. */
export async function smallRate(
  client: BlobClient,
  count: number,
  size: number,
  atOnce: number,
): Promise<{ puts: number; gets: number }> {
  const body = Buffer.alloc(size, 'x');
  const locations: string[] = [];
  const inParallel = async (work: (index: number) => Promise<void>): Promise<number> => {
    let next = 0;
    const { seconds } = await timed(() =>
      Promise.all(
        Array.from({ length: atOnce }, async () => {
          while (next < count) await work(next++);
        }),
      ),
    );
    return Math.round(count / seconds);
  };
  const puts = await inParallel(async index => {
    locations[index] = (await client.put(Readable.from([body]), size)).location;
  });
  const gets = await inParallel(async index => {
    await client.get(locations[index] ?? '');
  });
  await inParallel(index => client.delete(locations[index] ?? ''));
  return { puts, gets };
}
