/** The data module, as the tools use it: its blobs by key, and which there are. */
import http from 'node:http';
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import { ToolError } from '../command/exit-code.js';
import { splitLines } from '../split-lines.js';

const ANSWER_MS = 60_000;
const CONNECTIONS = 64;
const CONNECT_MS = 5000;

export interface BlobClientOptions {
  readonly host: string;
  readonly port: number;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

/** Every method rejects with a `CatalogueError`: `ServiceUnavailable` when the module does not answer in time. */
export class BlobClient {
  readonly #options: BlobClientOptions;
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

  private constructor(options: BlobClientOptions) {
    this.#options = options;
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
      const { host, port } = options;
      throw new ToolError(
        `DATA_HOST, DATA_PORT: cannot reach the data module at ${host}:${port} (${messageOf(err)})`,
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

  /** The bytes of a blob; `undefined` when there is none. Must be read to its end or destroyed. */
  async get(key: string): Promise<http.IncomingMessage | undefined> {
    const response = await this.#ask('GET', `/${key}`);
    if (response.statusCode === 200) return response;
    const text = await textOf(response);
    if (response.statusCode === 404) return undefined;
    expectStatus(response, 200, text);
    return response;
  }

  /** False when there was none. */
  async delete(key: string): Promise<boolean> {
    const response = await this.#ask('DELETE', `/${key}`);
    const text = await textOf(response);
    if (response.statusCode === 404) return false;
    expectStatus(response, 204, text);
    return true;
  }

  /**
   * When a blob was stored, or later, in milliseconds since the epoch; 'unknown' when its store cannot tell, `undefined`
   * when there is none.
   */
  async storedAt(key: string): Promise<number | 'unknown' | undefined> {
    const response = await this.#ask('GET', `/${key}?storedAt`);
    const text = await textOf(response);
    if (response.statusCode === 404) return undefined;
    if (response.statusCode === 501) return 'unknown';
    expectStatus(response, 200, text);
    const { storedAt } = JSON.parse(text) as { storedAt?: unknown };
    if (typeof storedAt === 'number') return storedAt;
    throw new CatalogueError('InternalError', 'the data module does not say when a blob was stored');
  }

  /** The keys of all blobs; `undefined` when its store cannot list them. Reading rejects when the listing is cut off. */
  async keys(): Promise<AsyncIterable<string> | undefined> {
    const response = await this.#ask('GET', '?keys');
    if (response.statusCode === 200) return linesOf(response);
    const text = await textOf(response);
    if (response.statusCode === 501) return undefined;
    expectStatus(response, 200, text);
    return undefined;
  }

  async #ask(method: string, path: string): Promise<http.IncomingMessage> {
    const { host, port, signal } = this.#options;
    signal.throwIfAborted();
    const request = http.request({
      agent: this.#agent,
      host,
      port,
      method,
      path: `/DataFile${path}`,
      signal,
    });
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
    request.end();
    try {
      return await withDeadline(answer, ANSWER_MS, 'the answer of the data module');
    } catch (err) {
      request.destroy();
      signal.throwIfAborted();
      throw new CatalogueError('ServiceUnavailable', `the data module: ${messageOf(err)}`, { cause: err });
    }
  }
}

async function* linesOf(response: http.IncomingMessage): AsyncGenerator<string, void, undefined> {
  try {
    yield* splitLines(response);
  } catch (err) {
    throw new CatalogueError('ServiceUnavailable', 'the listing of blobs was cut off', { cause: err });
  }
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part as string;
  return text;
}

function expectStatus({ statusCode }: http.IncomingMessage, expected: number, text: string): void {
  if (statusCode === expected) return;
  const type = statusCode === 503 ? 'ServiceUnavailable' : 'InternalError';
  throw new CatalogueError(type, `the data module answered ${statusCode ?? 0}: ${text.slice(0, 200).trim()}`);
}
