/** Blobs in the data module, over the REST interface that CloudServer uses. */
import http from 'node:http';
import https from 'node:https';
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, ERRORS, type ErrorType, messageOf } from '@zenko-modules/common/errors';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { TlsAgent } from '@zenko-modules/common/network/tls-agent';
import { atHand, type ByteRange, bytesOf, type ByteSource, wholeOf } from './byte-source.js';

/** The module keeps idle connections for longer than this. */
const IDLE_CONNECTION_MS = 55_000;
/** Bytes per millisecond that storing a blob is granted at least, once the module has all of it. */
const SLOWEST_SYNC = 5000;
/** Keys that one call deletes at most, which is what the module takes. */
export const MAX_DELETED_KEYS = 1000;
/** Where the module deletes one blob a call. */
const DELETES_AT_ONCE = 8;
/** What deleting one of many blobs is granted at least. */
const SLOWEST_DELETE_MS = 10;
/** How long a module is taken to be one that deletes one blob a call. */
const ONE_BY_ONE_MS = 60_000;
/** Answers of a module that does not know the call. */
const UNKNOWN_CALL = [400, 404, 405, 501];
/** Bounds what is read of an error's body. */
const MAX_ERROR_BYTES = 4096;

/** A blob, or a range of one, up to this size is read as a whole before it is passed on. */
const SMALL_BYTES = 64 * 1024;

/**
 * Every method takes the ids of the request that caused it, and rejects with a `CatalogueError`:
 * `ServiceUnavailable` when the module cannot be reached or does not answer in time.
 */
export class DataClient {
  readonly #agent: http.Agent;
  readonly #open: typeof http.request;
  readonly #host: string;
  readonly #port: number;
  readonly #timeoutMs: number;
  #oneByOneUntil = 0;

  constructor(options: ModuleAddress & { readonly timeoutMs: number }) {
    const kept = { keepAlive: true, timeout: IDLE_CONNECTION_MS };
    this.#agent = options.tls ? new TlsAgent(options.tls, kept) : new http.Agent(kept);
    this.#open = options.tls ? https.request : http.request;
    this.#host = options.host;
    this.#port = options.port;
    this.#timeoutMs = options.timeoutMs;
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * Stores a blob and resolves with its key, when it is on stable storage. Nothing is stored when `body`
   * ends before `size` bytes or throws; what it throws is thrown here.
   */
  async put(body: AsyncIterable<Buffer> | Buffer, size: number, reqUids: string): Promise<string> {
    const request = this.#request('PUT', '/DataFile/', reqUids, { 'content-length': size });
    const answer = answerTo(request);
    const sending = send(request, body, this.#timeoutMs);
    // When the answer comes first, it is what counts.
    sending.catch(() => undefined);
    try {
      // An answer, or a lost connection, that comes before the body has gone is the end of it.
      await Promise.race([sending, answer]);
      const response = await this.#inTime(answer, this.#timeoutMs + size / SLOWEST_SYNC, request);
      if (response.statusCode !== 201) throw await this.#errorOf(response);
      response.resume();
      const key = /^\/DataFile\/([0-9a-f]+)$/.exec(response.headers.location ?? '')?.[1];
      if (key === undefined) {
        throw new CatalogueError('InternalError', 'the data module stored a blob and named no key');
      }
      await sending;
      return key;
    } catch (err) {
      request.destroy();
      throw err;
    }
  }

  /**
   * Opens a blob, or a range of it, that must be `length` bytes long. The caller closes it.
   * @throws CatalogueError ObjNotFound
   */
  async get(key: string, range: ByteRange | undefined, length: number, reqUids: string): Promise<ByteSource> {
    const headers = range === undefined ? {} : { range: `bytes=${range.first}-${range.last}` };
    const request = this.#request('GET', `/DataFile/${key}`, reqUids, headers);
    request.end();
    const response = await this.#inTime(answerTo(request), this.#timeoutMs, request);
    if (response.statusCode !== (range === undefined ? 200 : 206)) throw await this.#errorOf(response);
    const { 'content-length': announced } = response.headers;
    if (announced !== String(length)) {
      response.destroy();
      throw new CatalogueError(
        'InternalError',
        `blob ${key} has ${announced ?? 'unknown'} bytes to send, not ${length}`,
      );
    }
    if (length <= SMALL_BYTES) return atHand(await wholeOf(response, this.#timeoutMs));
    return {
      [Symbol.asyncIterator]: () => bytesOf(response, this.#timeoutMs),
      close: () => void response.destroy(),
    };
  }

  /** Whether there is a blob of this key. */
  async has(key: string, reqUids: string): Promise<boolean> {
    const request = this.#request('HEAD', `/DataFile/${key}`, reqUids);
    request.end();
    const response = await this.#inTime(answerTo(request), this.#timeoutMs, request);
    if (response.statusCode !== 200 && response.statusCode !== 404) throw await this.#errorOf(response);
    response.resume();
    return response.statusCode === 200;
  }

  /**
   * Deletes blobs; those that are not there count as deleted. After an error some of them may be there still.
   * Several go with one request, where the module has that: CloudServer's own does not.
   */
  async delete(keys: readonly string[], reqUids: string): Promise<void> {
    for (let at = 0; at < keys.length; at += MAX_DELETED_KEYS) {
      const some = keys.slice(at, at + MAX_DELETED_KEYS);
      if (!(await this.#deleteMany(some, reqUids))) await this.#deleteEach(some, reqUids);
    }
  }

  /** Resolves with `false` when the module must be asked for each of them. */
  async #deleteMany(keys: readonly string[], reqUids: string): Promise<boolean> {
    if (keys.length === 1 || performance.now() < this.#oneByOneUntil) return false;
    const list = Buffer.from(keys.join('\n'), 'latin1');
    const request = this.#request('POST', '/DataFile?delete', reqUids, { 'content-length': list.length });
    request.end(list);
    const ms = this.#timeoutMs + keys.length * SLOWEST_DELETE_MS;
    const response = await this.#inTime(answerTo(request), ms, request);
    const { statusCode = 0 } = response;
    if (statusCode !== 204 && !UNKNOWN_CALL.includes(statusCode)) throw await this.#errorOf(response);
    response.resume();
    if (statusCode === 204) return true;
    this.#oneByOneUntil = performance.now() + ONE_BY_ONE_MS;
    return false;
  }

  async #deleteEach(keys: readonly string[], reqUids: string): Promise<void> {
    let failed = false;
    const waiting = keys.values();
    const worker = async (): Promise<void> => {
      for (const key of waiting) {
        // The others would fail as well.
        if (failed) return;
        await this.#deleteOne(key, reqUids);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(DELETES_AT_ONCE, keys.length) }, worker));
    } finally {
      failed = true;
    }
  }

  async #deleteOne(key: string, reqUids: string): Promise<void> {
    const request = this.#request('DELETE', `/DataFile/${key}`, reqUids);
    request.end();
    const response = await this.#inTime(answerTo(request), this.#timeoutMs, request);
    if (response.statusCode !== 204 && response.statusCode !== 404) throw await this.#errorOf(response);
    response.resume();
  }

  /** Resolves when the module answers. */
  async ping(): Promise<void> {
    const request = this.#request('GET', '/DataFile?diskUsage', 'probe');
    request.end();
    const response = await this.#inTime(answerTo(request), this.#timeoutMs, request);
    if (response.statusCode !== 200) throw await this.#errorOf(response);
    response.resume();
  }

  #request(
    method: string,
    path: string,
    reqUids: string,
    headers: http.OutgoingHttpHeaders = {},
  ): http.ClientRequest {
    return this.#open({
      agent: this.#agent,
      host: this.#host,
      port: this.#port,
      method,
      path,
      headers: { ...headers, 'x-scal-request-uids': reqUids },
    });
  }

  async #inTime<T>(answer: Promise<T>, ms: number, request: http.ClientRequest): Promise<T> {
    try {
      return await withDeadline(answer, ms, 'the answer of the data module');
    } catch (err) {
      request.destroy();
      if (err instanceof CatalogueError) throw err;
      throw new CatalogueError('ServiceUnavailable', messageOf(err), { cause: err });
    }
  }

  /** The error that an answer stands for; `ServiceUnavailable` when not even that comes in time. */
  async #errorOf(response: http.IncomingMessage): Promise<CatalogueError> {
    try {
      const text = await withDeadline(beginningOf(response), this.#timeoutMs, 'the error of the data module');
      return toError(response, text);
    } catch (err) {
      response.destroy();
      return new CatalogueError('ServiceUnavailable', messageOf(err), { cause: err });
    }
  }
}

/** The response, or `ServiceUnavailable`. May go unobserved, so it never counts as an unhandled rejection. */
function answerTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', err =>
      reject(new CatalogueError('ServiceUnavailable', `the data module: ${err.message}`, { cause: err })),
    );
  });
  answer.catch(() => undefined);
  return answer;
}

/** Writes `body` to the request with back-pressure. Rejects with what `body` throws; the request is then unfinished. */
async function send(
  request: http.ClientRequest,
  body: AsyncIterable<Buffer> | Buffer,
  stallMs: number,
): Promise<void> {
  if (Buffer.isBuffer(body)) {
    request.end(body);
    return;
  }
  for await (const bytes of body) {
    if (request.destroyed) return;
    if (!request.write(bytes)) await drained(request, stallMs);
  }
  request.end();
}

async function drained(request: http.ClientRequest, stallMs: number): Promise<void> {
  const settled = new Promise<void>(resolve => {
    const done = (): void => {
      request.off('drain', done).off('close', done);
      resolve();
    };
    request.on('drain', done).on('close', done);
  });
  try {
    await withDeadline(settled, stallMs, 'sending to the data module');
  } catch (err) {
    throw new CatalogueError('ServiceUnavailable', messageOf(err), { cause: err });
  }
}

async function beginningOf(response: http.IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) {
    text += part as string;
    if (text.length > MAX_ERROR_BYTES) break;
  }
  return text;
}

function toError(response: http.IncomingMessage, text: string): CatalogueError {
  try {
    const { errorType, errorMessage } = JSON.parse(text) as { errorType?: unknown; errorMessage?: unknown };
    if (typeof errorType === 'string' && Object.hasOwn(ERRORS, errorType)) {
      return new CatalogueError(errorType as ErrorType, `the data module: ${String(errorMessage)}`);
    }
  } catch (err) {
    return new CatalogueError('InternalError', unexpected(response, text), { cause: err });
  }
  return new CatalogueError('InternalError', unexpected(response, text));
}

function unexpected(response: http.IncomingMessage, text: string): string {
  return `the data module answered ${response.statusCode ?? 0}: ${text.slice(0, 200)}`;
}
