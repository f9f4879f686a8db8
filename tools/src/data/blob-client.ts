/** The data module, as the tools use it: its blobs by key, and which there are. */
import http from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { TlsAgent } from '@zenko-modules/common/network/tls-agent';
import { ToolError } from '../command/exit-code.js';
import { splitLines } from '../split-lines.js';

const ANSWER_MS = 60_000;
const CONNECTIONS = 64;
const CONNECT_MS = 5000;

export interface BlobClientOptions extends ModuleAddress {
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  /** How long an answer, and each further piece of its body, may be waited for. */
  readonly answerMs?: number;
}

/** Every method rejects with a `CatalogueError`: `ServiceUnavailable` when the module does not answer in time. */
export class BlobClient {
  readonly #options: BlobClientOptions;
  readonly #agent: http.Agent;

  private constructor(options: BlobClientOptions) {
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: CONNECTIONS };
    this.#agent = options.tls ? new TlsAgent(options.tls, kept) : new http.Agent(kept);
  }

  /** @throws ToolError when there is no module that answers. */
  static async connect(options: BlobClientOptions): Promise<BlobClient> {
    const client = new BlobClient(options);
    try {
      const answer = client.#ask('GET', '?diskUsage');
      (await withDeadline(answer, CONNECT_MS, 'the answer of the data module')).resume();
      return client;
    } catch (err) {
      client.close();
      const { host, port, tls } = options;
      throw new ToolError(
        `DATA_HOST, ${tls ? 'DATA_TLS_PORT' : 'DATA_PORT'}: cannot reach the data module at ${host}:${port} (${messageOf(err)})`,
        { cause: err },
      );
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** The size of a blob in bytes; `undefined` when there is none. */
  async stat(key: string): Promise<number | undefined> {
    const response = await this.#ask('HEAD', `/${key}`);
    response.resume();
    if (response.statusCode === 404) return undefined;
    expectStatus(response, 200, '');
    return Number(response.headers['content-length']);
  }

  /** The bytes of a blob; `undefined` when there is none. Must be read, to its end or until the reader stops. */
  async get(key: string): Promise<AsyncIterable<Buffer> | undefined> {
    const response = await this.#ask('GET', `/${key}`);
    if (response.statusCode === 200) return this.#piecesOf(response);
    const text = await this.#textOf(response);
    if (response.statusCode === 404) return undefined;
    expectStatus(response, 200, text);
    return undefined;
  }

  /** Stores `size` bytes and resolves with their key, when they are on stable storage. */
  async put(body: AsyncIterable<Buffer>, size: number): Promise<string> {
    const { request, answer } = this.#open('PUT', '/', { 'content-length': size });
    // An answer that comes before the body has gone is what counts.
    const sent = pipeline(body, request);
    sent.catch(() => undefined);
    request.setTimeout(this.#answerMs, () =>
      request.destroy(new Error(`nothing was taken or answered for ${this.#answerMs} ms`)),
    );
    try {
      const response = await answer;
      const text = await this.#textOf(response);
      expectStatus(response, 201, text);
      const key = /^\/DataFile\/([0-9a-f]+)$/.exec(response.headers.location ?? '')?.[1];
      if (key !== undefined) return key;
      throw new CatalogueError('InternalError', 'the data module stored a blob and named no key');
    } catch (err) {
      request.destroy();
      throw this.#away(err);
    }
  }

  /** False when there was none. */
  async delete(key: string): Promise<boolean> {
    const response = await this.#ask('DELETE', `/${key}`);
    const text = await this.#textOf(response);
    if (response.statusCode === 404) return false;
    expectStatus(response, 204, text);
    return true;
  }

  /**
   * How long ago a blob was stored, or less, in milliseconds, by the clock of the data module: this machine's may be
   * another one. 'unknown' when its store cannot tell, `undefined` when there is none.
   */
  async ageOf(key: string): Promise<number | 'unknown' | undefined> {
    const response = await this.#ask('GET', `/${key}?storedAt`);
    const text = await this.#textOf(response);
    if (response.statusCode === 404) return undefined;
    if (response.statusCode === 501) return 'unknown';
    expectStatus(response, 200, text);
    const { storedAt, now } = JSON.parse(text) as { storedAt?: unknown; now?: unknown };
    if (typeof storedAt === 'number' && typeof now === 'number') return now - storedAt;
    throw new CatalogueError('InternalError', 'the data module does not say when a blob was stored');
  }

  /** The keys of all blobs; `undefined` when its store cannot list them. Reading rejects when the listing is cut off. */
  async keys(): Promise<AsyncIterable<string> | undefined> {
    const response = await this.#ask('GET', '?keys');
    if (response.statusCode === 200) return linesOf(this.#piecesOf(response));
    const text = await this.#textOf(response);
    if (response.statusCode === 501) return undefined;
    expectStatus(response, 200, text);
    return undefined;
  }

  get #answerMs(): number {
    return this.#options.answerMs ?? ANSWER_MS;
  }

  async #ask(method: string, path: string): Promise<http.IncomingMessage> {
    const { request, answer } = this.#open(method, path);
    request.end();
    try {
      return await withDeadline(answer, this.#answerMs, 'the answer of the data module');
    } catch (err) {
      request.destroy();
      throw this.#away(err);
    }
  }

  #open(
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders = {},
  ): { readonly request: http.ClientRequest; readonly answer: Promise<http.IncomingMessage> } {
    const { host, port, tls, signal } = this.#options;
    signal.throwIfAborted();
    const request = (tls ? https : http).request({
      agent: this.#agent,
      host,
      port,
      method,
      path: `/DataFile${path}`,
      headers,
      signal,
    });
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
    return { request, answer };
  }

  #away(err: unknown): CatalogueError {
    this.#options.signal.throwIfAborted();
    if (err instanceof CatalogueError) return err;
    return new CatalogueError('ServiceUnavailable', `the data module: ${messageOf(err)}`, { cause: err });
  }

  /** The deadline is for each wait for bytes: a reader may take its time between two. */
  async *#piecesOf(response: http.IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
    const pieces = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await withDeadline(pieces.next(), this.#answerMs, 'the next bytes of an answer');
        if (next.done === true) return;
        yield next.value;
      }
    } catch (err) {
      throw this.#away(err);
    } finally {
      response.destroy();
    }
  }

  async #textOf(response: http.IncomingMessage): Promise<string> {
    const pieces: Buffer[] = [];
    for await (const piece of this.#piecesOf(response)) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }
}

async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  try {
    yield* splitLines(pieces);
  } catch (err) {
    throw new CatalogueError('ServiceUnavailable', 'the listing of blobs was cut off', { cause: err });
  }
}

function expectStatus({ statusCode }: http.IncomingMessage, expected: number, text: string): void {
  if (statusCode === expected) return;
  const type = statusCode === 503 ? 'ServiceUnavailable' : 'InternalError';
  throw new CatalogueError(type, `the data module answered ${statusCode ?? 0}: ${text.slice(0, 200).trim()}`);
}
