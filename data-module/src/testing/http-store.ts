/** A data module seen through its HTTP interface, as a DataStore: so one suite runs at both heights. */
import http, { type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import {
  CatalogueError,
  ERRORS,
  type ErrorType,
  messageOf,
  toCatalogueError,
} from '@zenko-modules/common/errors';
import type { ByteRange, DataStore, DiskUsage } from '../data-store.js';
import { ExactSource } from '../stores/exact-source.js';

const IDLE_LIMIT_MS = 30_000;

export class HttpStore implements DataStore {
  readonly #port: number;
  readonly #agent = new http.Agent({ keepAlive: true });
  #closed = false;

  constructor(port: number) {
    this.#port = port;
  }

  async put(source: Readable, size: number): Promise<string> {
    const req = this.#request('PUT', '', { 'content-length': size });
    const answered = answerOf(req);
    try {
      // The answer may come before the body's end; the request alone is no place to learn of it.
      const sent = pipeline(new ExactSource(source, size), withheldEnd, req);
      await Promise.race([sent.catch(ignoreBrokenConnection), answered]);
      const res = await answered;
      await expectStatus(res, 201);
      res.resume();
      return String(res.headers.location).replace('/DataFile/', '');
    } catch (err) {
      source.destroy();
      req.destroy();
      await answered.catch((failure: unknown) => toCatalogueError(failure));
      throw toCatalogueError(err);
    }
  }

  async stat(key: string): Promise<number> {
    const res = await this.#call('HEAD', key);
    if (res.statusCode === 404) throw new CatalogueError('ObjNotFound');
    if (res.statusCode !== 200)
      throw new CatalogueError('InternalError', `HEAD answered ${res.statusCode ?? 0}`);
    return Number(res.headers['content-length']);
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    const res = await this.#call('GET', key, range && { range: `bytes=${range.start}-${range.end}` });
    await expectStatus(res, range === undefined ? 200 : 206);
    return res;
  }

  async delete(key: string): Promise<void> {
    const res = await this.#call('DELETE', key);
    await expectStatus(res, 204);
  }

  async diskUsage(): Promise<DiskUsage> {
    const res = await this.#call('GET', '?diskUsage');
    await expectStatus(res, 200);
    return JSON.parse((await buffer(res)).toString()) as DiskUsage;
  }

  async ping(): Promise<void> {
    await this.diskUsage();
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#agent.destroy();
    return Promise.resolve();
  }

  async #call(
    method: string,
    name: string,
    headers: http.OutgoingHttpHeaders = {},
  ): Promise<IncomingMessage> {
    const req = this.#request(method, name, headers);
    req.end();
    const res = await answerOf(req);
    if (method === 'HEAD' || method === 'DELETE') {
      if (res.statusCode === 204 || method === 'HEAD') res.resume();
    }
    return res;
  }

  #request(method: string, name: string, headers: http.OutgoingHttpHeaders): http.ClientRequest {
    if (this.#closed) throw new CatalogueError('ServiceUnavailable', 'the store has been closed');
    const path = name.startsWith('?') ? `/DataFile${name}` : `/DataFile/${name}`;
    const req = http.request({
      host: '127.0.0.1',
      port: this.#port,
      method,
      path,
      headers,
      agent: this.#agent,
    });
    req.setTimeout(IDLE_LIMIT_MS, () => req.destroy(new Error('the module stands still')));
    return req;
  }
}

function answerOf(req: http.ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    req.once('response', resolve);
    req.on('error', err => reject(new CatalogueError('ServiceUnavailable', messageOf(err), { cause: err })));
  });
}

/** Of a connection that breaks the request itself knows more: perhaps it has an answer. */
function ignoreBrokenConnection(err: unknown): void {
  const code = err instanceof Error && 'code' in err ? err.code : undefined;
  if (code !== 'EPIPE' && code !== 'ECONNRESET') throw err;
}

async function expectStatus(res: IncomingMessage, status: number): Promise<void> {
  if (res.statusCode === status) return;
  const body = JSON.parse((await buffer(res)).toString()) as { errorType: string; errorMessage: string };
  if (!(body.errorType in ERRORS)) throw new Error(`${body.errorType} is not in the catalogue`);
  throw new CatalogueError(body.errorType as ErrorType, body.errorMessage);
}

/** Keeps the last part back until its source has ended: a body that turns out too long must not reach the module whole. */
async function* withheldEnd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let held: Buffer | undefined;
  for await (const chunk of source) {
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}
