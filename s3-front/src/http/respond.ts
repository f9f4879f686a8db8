/** Writes answers, and leaves a connection in a state in which the client gets them. */
import type http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { sleep } from '@zenko-modules/common/deadline';
import type { S3Response } from '../operations/operation.js';
import type { S3Error } from '../s3-errors.js';
import { buildPlainXml } from '../xml.js';
import type { RequestIds } from './request-ids.js';

/** How long a client may go on sending a body that is not wanted, before the connection is cut. */
const UNWANTED_BODY_MS = 2000;

export interface Exchange {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  readonly ids: RequestIds;
  /** The client waits to be told to send its body. */
  awaitsContinue: boolean;
  readonly idleTimeoutMs: number;
}

/** Resolves when the answer has been handed over, or the client has gone. Rejects when its body could not be read. */
export async function respond(exchange: Exchange, answer: S3Response): Promise<void> {
  const { response, message } = exchange;
  const { body = '' } = answer;
  try {
    message.socket.setTimeout(exchange.idleTimeoutMs);
    writeHead(exchange, answer);
    if (message.method === 'HEAD') response.end();
    else if (typeof body === 'string') await endWith(exchange, body);
    else if (body.whole) response.end(body.whole);
    else await pipeline(body, response);
  } finally {
    if (typeof body !== 'string') body.close();
  }
}

/** Answers with an error, or cuts the connection when an answer has begun: the client must not take it for whole. */
export async function respondError(exchange: Exchange, error: S3Error, resource: string): Promise<void> {
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = error.status === 304 ? '' : errorXml(error, exchange.ids, resource);
  await respond(exchange, {
    status: error.status,
    headers: { ...error.headers, ...(body === '' ? {} : { 'content-type': 'application/xml' }) },
    body,
  });
}

export function errorXml(error: S3Error, { id }: RequestIds, resource: string): string {
  return buildPlainXml('Error', {
    Code: error.code,
    Message: error.message,
    Resource: resource,
    RequestId: id,
  });
}

function writeHead(exchange: Exchange, { status, headers, body = '' }: S3Response): void {
  const { response, ids } = exchange;
  const all: http.OutgoingHttpHeaders = {
    server: 's3-front',
    'x-amz-request-id': ids.id,
    'x-amz-id-2': ids.id,
  };
  if (hasUnwantedBody(exchange)) all.connection = 'close';
  Object.assign(all, headers);
  const bodiless = status === 204 || status === 304;
  if (typeof body === 'string' && !bodiless) all['content-length'] ??= Buffer.byteLength(body);
  response.writeHead(status, all);
}

/**
 * A client that is still sending must be able to read the answer before the connection ends: what it sends
 * is dropped for a while.
 */
async function endWith(exchange: Exchange, body: string): Promise<void> {
  const { message, response } = exchange;
  if (hasUnwantedBody(exchange) && !exchange.awaitsContinue) {
    response.write(body);
    message.resume();
    const stop = new AbortController();
    message.once('close', () => stop.abort()).once('end', () => stop.abort());
    await sleep(UNWANTED_BODY_MS, stop.signal);
    response.end();
    return;
  }
  response.end(body);
}

function hasUnwantedBody({ message }: Exchange): boolean {
  return !message.complete && !message.destroyed;
}
