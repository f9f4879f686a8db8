/** The HTTP server before the operations: connections, time limits, and an orderly end. */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { listen } from '@zenko-modules/common/listen';
import { sleep } from '@zenko-modules/common/deadline';
import { RequestOrder } from '@zenko-modules/common/network/request-order';
import { followTlsFiles, readTlsFiles } from '@zenko-modules/common/network/tls-files';
import { S3Error } from '../s3-errors.js';
import { certificateFiles } from './certificate-files.js';
import { handleRequest, type Handler } from './handle-request.js';
import { requestIds } from './request-ids.js';
import { errorXml } from './respond.js';

/** How long an idle connection is kept for the client's next request. */
const KEEP_ALIVE_MS = 65_000;
/** How long a client may take to send the head of a request. */
const HEADERS_MS = 60_000;
/** Of a connection that is told that its request cannot be read. */
const LAST_WORDS_MS = 1000;

export interface S3Server {
  readonly port: number;
  /** Takes no new connections; gives requests in flight `graceMs` to end, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** @throws StartError when S3_PORT cannot be bound, or the certificate cannot be used */
export async function startS3Server(handler: Handler): Promise<S3Server> {
  const { settings } = handler.front;
  const inFlight = new Map<http.ServerResponse, Promise<void>>();
  const awaitContinue = new WeakSet<http.IncomingMessage>();
  const expectMore = new WeakSet<http.IncomingMessage>();
  const order = new RequestOrder(({ req: message, res: response }) => {
    if (!server.listening) response.shouldKeepAlive = false;
    if (expectMore.has(message)) {
      response.writeHead(417, { 'content-length': 0, connection: 'close' }).end();
      return;
    }
    const exchange = {
      message,
      response,
      ids: requestIds(message.headers),
      awaitsContinue: awaitContinue.has(message),
      idleTimeoutMs: settings.S3_IDLE_TIMEOUT_MS,
    };
    const handled = handleRequest(handler, exchange).finally(() => inFlight.delete(response));
    inFlight.set(response, handled);
  });
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEADERS_MS,
    // Uploads may be slow and large: what counts is that they go on.
    requestTimeout: 0,
  };
  const stop = new AbortController();
  const files = certificateFiles(settings);
  const certificate = files && (await readTlsFiles(files));
  const server = certificate
    ? https.createServer({ ...options, ...certificate })
    : http.createServer(options);
  const following =
    files && certificate && server instanceof https.Server
      ? followTlsFiles(files, certificate, found => server.setSecureContext(found), handler.log, stop.signal)
      : undefined;
  server.timeout = settings.S3_IDLE_TIMEOUT_MS;
  const add = (req: http.IncomingMessage, res: http.ServerResponse): void => order.add({ req, res });
  server.on('request', add);
  server.on('checkContinue', (message: http.IncomingMessage, response: http.ServerResponse) => {
    awaitContinue.add(message);
    add(message, response);
  });
  server.on('checkExpectation', (message: http.IncomingMessage, response: http.ServerResponse) => {
    expectMore.add(message);
    add(message, response);
  });
  server.on('clientError', (err: NodeJS.ErrnoException, socket: Socket) =>
    refuse(err, socket, order.owesAnswer(socket)),
  );

  const port = await listen(server, 'S3_PORT', settings.S3_PORT, settings.LISTEN_ADDRESS);
  return {
    port,
    close: async graceMs => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      for (const response of inFlight.keys()) response.shouldKeepAlive = false;
      await Promise.race([closed, sleep(graceMs, stop.signal)]);
      stop.abort();
      await following;
      server.closeAllConnections();
      await closed;
      await Promise.all(inFlight.values());
    },
  };
}

/** Answers what is not HTTP, or has too long a head. Only closes when an answer to an earlier request is owed: it would be taken for that. */
function refuse(err: NodeJS.ErrnoException, socket: Socket, owesAnswer: boolean): void {
  if (err.code === 'ECONNRESET' || owesAnswer || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = err.code === 'HPE_HEADER_OVERFLOW';
  const error = tooLarge
    ? new S3Error('RequestHeaderSectionTooLarge')
    : new S3Error('BadRequest', 'The request is not valid HTTP/1.1');
  const ids = requestIds({});
  const body = errorXml(error, ids, '/');
  socket.end(
    `HTTP/1.1 ${error.status} Bad Request\r\nconnection: close\r\ncontent-type: application/xml\r\n` +
      `x-amz-request-id: ${ids.id}\r\nx-amz-id-2: ${ids.id}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
}
