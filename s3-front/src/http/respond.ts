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
/** A shorter text goes out in one piece with the headers; of a longer one Node.js would make bytes twice as slowly. */
const LONG_TEXT = 16 * 1024;

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
  const { body = '' } = answer;
  if (typeof body === 'string') {
    await respondText(exchange, answer, body.length >= LONG_TEXT ? Buffer.from(body) : body);
    return;
  }
  try {
    writeHead(exchange, answer);
    if (exchange.message.method === 'HEAD') exchange.response.end();
    else if (body.whole) exchange.response.end(body.whole);
    else await pipeline(body, exchange.response);
  } finally {
    body.close();
  }
}

async function respondText(exchange: Exchange, answer: S3Response, text: string | Buffer): Promise<void> {
  const bodiless = answer.status === 204 || answer.status === 304;
  writeHead(exchange, answer, bodiless ? {} : { 'content-length': Buffer.byteLength(text) });
  if (exchange.message.method === 'HEAD') exchange.response.end();
  else await endWith(exchange, text);
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

function writeHead(
  exchange: Exchange,
  { status, headers }: S3Response,
  ofText: http.OutgoingHttpHeaders = {},
): void {
  const { message, response, ids } = exchange;
  message.socket.setTimeout(exchange.idleTimeoutMs);
  const all: http.OutgoingHttpHeaders = {
    server: 's3-front',
    'x-amz-request-id': ids.id,
    'x-amz-id-2': ids.id,
  };
  if (hasUnwantedBody(exchange)) all.connection = 'close';
  // Of a HEAD they tell the length of what a GET would send.
  response.writeHead(status, Object.assign(all, ofText, headers));
}

/**
 * A client that is still sending must be able to read the answer before the connection ends: what it sends
 * is dropped for a while.
 */
async function endWith(exchange: Exchange, body: string | Buffer): Promise<void> {
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
