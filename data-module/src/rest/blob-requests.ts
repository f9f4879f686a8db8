/** The requests that are about a blob: they are many, and go no other way than this. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { type ByteRange, type OpenBlob, SMALL_BYTES } from '../data-store.js';
import { ExactSource } from '../stores/exact-source.js';
import { lengthOf } from '../stores/open-blobs.js';
import type { CompleteStore } from '../stores/store-layer.js';
import type { TransferMemory } from '../transfer-memory.js';
import { deleteKeys, MAX_LIST_BYTES, parseKeys } from './delete-keys.js';
import type { Exchange } from './exchange.js';
import { parseRange } from './range.js';
import { contentLength, readSmallBody, sendContinue } from './request-body.js';
import { parseTarget, type Target } from './request-uri.js';

export interface BlobRequestsOptions {
  readonly store: CompleteStore;
  readonly memory: TransferMemory;
  /** What one transfer holds in memory at most, in bytes. */
  readonly transferMemoryBytes: number;
  readonly log: Logger;
}

export class BlobRequests {
  readonly #store: CompleteStore;
  readonly #memory: TransferMemory;
  readonly #transferMemoryBytes: number;
  readonly #log: Logger;

  constructor({ store, memory, transferMemoryBytes, log }: BlobRequestsOptions) {
    this.#store = store;
    this.#memory = memory;
    this.#transferMemoryBytes = transferMemoryBytes;
    this.#log = log;
  }

  /** Answers a request about a blob. False, and nothing is done, when it is another one, or not in order. */
  take(exchange: Exchange): boolean {
    const { req } = exchange;
    const work = this.#workFor(req.method, targetOf(req));
    if (work === undefined) return false;
    work(exchange).catch((err: unknown) => exchange.fail(err));
    return true;
  }

  #workFor(
    method: string | undefined,
    target: Target | undefined,
  ): ((exchange: Exchange) => Promise<void>) | undefined {
    if (target?.kind === 'service') return method === 'PUT' ? this.#put : undefined;
    if (target?.kind === 'delete') return method === 'POST' ? this.#deleteMany : undefined;
    if (target?.kind !== 'blob') return undefined;
    const { key } = target;
    if (method === 'GET') return exchange => this.#get(exchange, key);
    if (method === 'HEAD') return exchange => this.#head(exchange, key);
    if (method === 'DELETE') return exchange => this.#delete(exchange, key);
    return undefined;
  }

  readonly #put = async (exchange: Exchange): Promise<void> => {
    const { req, res } = exchange;
    const size = contentLength(req);
    const held = Math.min(size, this.#transferMemoryBytes);
    if (!this.#memory.tryTake(held)) await this.#memory.take(held);
    let key: string;
    try {
      sendContinue(req, res);
      key =
        size <= SMALL_BYTES
          ? await this.#store.putSmall(await readSmallBody(req, size))
          : await this.#store.put(new ExactSource(req, size, { keepsOrigin: true, nameFailure }), size);
    } finally {
      this.#memory.give(held);
    }
    exchange.bytesIn = size;
    if (!res.destroyed) {
      res.once('close', () => {
        if (!res.writableFinished) void this.#removeUnclaimed(exchange, key);
      });
      res.writeHead(201, { location: `/DataFile/${key}`, 'content-length': 0 }).end();
    } else await this.#removeUnclaimed(exchange, key);
  };

  async #get(exchange: Exchange, key: string): Promise<void> {
    const { req, res } = exchange;
    let held = this.#transferMemoryBytes;
    if (!this.#memory.tryTake(held)) await this.#memory.take(held);
    let blob: OpenBlob | undefined;
    try {
      const header = req.headers.range;
      blob = await this.#store.open(key, size =>
        header === undefined ? undefined : parseRange(header, size),
      );
      if (res.destroyed) return;
      const length = lengthOf(blob.range, blob.size);
      writeBlobHead(res, blob.range, blob.size, length);
      if (blob.bytes === undefined) {
        await sendPieces(exchange, blob, length);
        return;
      }
      exchange.bytesOut = length;
      this.#memory.give(held - length);
      held = length;
      if (!res.writableEnded) await ended(res, blob.bytes);
    } finally {
      this.#memory.give(held);
      blob?.close();
    }
  }

  async #head({ res }: Exchange, key: string): Promise<void> {
    const size = await this.#store.stat(key);
    res.writeHead(200, { 'content-length': size, 'accept-ranges': 'bytes' }).end();
  }

  async #delete({ res }: Exchange, key: string): Promise<void> {
    await this.#store.delete(key);
    res.writeHead(204).end();
  }

  readonly #deleteMany = async ({ req, res }: Exchange): Promise<void> => {
    const size = contentLength(req);
    if (size > MAX_LIST_BYTES)
      throw new CatalogueError(
        'InvalidInput',
        `a list of keys must not be larger than ${MAX_LIST_BYTES} bytes`,
      );
    if (!this.#memory.tryTake(size)) await this.#memory.take(size);
    try {
      sendContinue(req, res);
      await deleteKeys(this.#store, parseKeys(await readSmallBody(req, size)));
    } finally {
      this.#memory.give(size);
    }
    res.writeHead(204).end();
  };

  /** The client went away before it learned the key, so nobody would ever delete this blob. */
  async #removeUnclaimed(exchange: Exchange, key: string): Promise<void> {
    const fields = { ...exchange.requestIds, key };
    try {
      await this.#store.delete(key);
      this.#log.info(fields, 'removed a blob whose sender had gone');
    } catch (err) {
      this.#log.warn({ ...fields, err }, `a blob whose sender had gone stays: ${messageOf(err)}`);
    }
  }
}

/** What a request names, `undefined` when that, or what it says of itself, is not in order. */
function targetOf(req: IncomingMessage): Target | undefined {
  const { host, expect } = req.headers;
  if (host === undefined && req.httpVersion === '1.1') return undefined;
  if (expect !== undefined && !isContinue(expect)) return undefined;
  try {
    return parseTarget(req.url ?? '');
  } catch {
    return undefined;
  }
}

/** The only expectation that can be met. */
export function isContinue(expect: string): boolean {
  return expect.toLowerCase() === '100-continue';
}

function nameFailure(err: Error | undefined): Error {
  return new CatalogueError('IncompleteBody', 'the connection closed within the body', { cause: err });
}

function writeBlobHead(
  res: ServerResponse,
  range: ByteRange | undefined,
  size: number,
  length: number,
): void {
  if (range === undefined)
    res.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': length,
      'accept-ranges': 'bytes',
    });
  else
    res.writeHead(206, {
      'content-type': 'application/octet-stream',
      'content-length': length,
      'accept-ranges': 'bytes',
      'content-range': `bytes ${range.start}-${range.end}/${size}`,
    });
}

/** Sends piece by piece: each is valid only until the next is asked for, so it must have gone by then. */
async function sendPieces(exchange: Exchange, blob: OpenBlob, length: number): Promise<void> {
  const { res } = exchange;
  for (let piece = await blob.next(); piece !== undefined; piece = await blob.next()) {
    if (res.destroyed) return;
    exchange.bytesOut += piece.length;
    if (exchange.bytesOut < length) await written(res, piece);
    else await ended(res, piece);
  }
  // An empty blob has no last piece to end with.
  if (length === 0) res.end();
}

/** Resolves when the system has taken the piece, or the connection has closed. */
export function written(res: ServerResponse, piece: Buffer | string): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      res.off('close', done);
      resolve();
    };
    res.once('close', done);
    res.write(piece, done);
  });
}

/** Ends the answer with the piece. Resolves when the system has taken it, or the connection has closed. */
function ended(res: ServerResponse, piece: Buffer): Promise<void> {
  return new Promise(resolve => {
    res.once('close', resolve);
    res.end(piece);
  });
}
