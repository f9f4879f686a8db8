/** The HTTP server of the data interface: its limits, its errors, and its graceful end. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from '@zenko-modules/common/logger';
import { Refusals } from '@zenko-modules/common/network/refusals';
import { type PendingRequest, RequestOrder } from '@zenko-modules/common/network/request-order';
import { openServerPorts } from '@zenko-modules/common/network/server-ports';
import type { SettingsOf } from '@zenko-modules/common/settings';
import express, { type ErrorRequestHandler } from 'express';
import type { DataMetrics } from '../data-metrics.js';
import { type DATA_SETTINGS, planDataPorts } from '../data-settings.js';
import type { CompleteStore } from '../stores/store-layer.js';
import type { TransferMemory } from '../transfer-memory.js';
import { BlobRequests } from './blob-requests.js';
import { isBrokenConnection, refuseMalformed } from './client-error.js';
import { Exchange } from './exchange.js';
import { holdBody } from './request-body.js';
import { dataRoutes } from './routes.js';

/** How long a client may take to send the head of a request. */
const HEAD_TIMEOUT_MS = 60_000;

/**
 * What is read of a body before somebody takes it: a packet, or as much in tiny ones, each of which takes hundreds of bytes
 * that nobody counts.
 */
const READ_AHEAD_BYTES = 512;

export interface RestServerOptions {
  readonly store: CompleteStore;
  readonly memory: TransferMemory;
  /** What one transfer holds in memory at most, in bytes. */
  readonly transferMemoryBytes: number;
  readonly settings: SettingsOf<typeof DATA_SETTINGS>;
  readonly metrics: DataMetrics;
  readonly log: Logger;
}

export interface RestServer {
  /** By setting name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Stops accepting, lets what is in flight end within `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** @throws StartError when a port cannot be bound, or a certificate cannot be used. */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { settings, metrics, log } = options;
  const server = http.createServer({
    keepAliveTimeout: settings.DATA_KEEP_ALIVE_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    highWaterMark: READ_AHEAD_BYTES,
    // Uploads may take hours; only one that stands still is cut, by the idle limit.
    requestTimeout: 0,
    // The routes check it: of Node's own answers none is an error of the catalogue.
    requireHostHeader: false,
  });
  server.timeout = settings.DATA_IDLE_TIMEOUT_MS;
  server.maxConnections = settings.DATA_MAX_CONNECTIONS;

  const state = { closing: false };
  const blobs = new BlobRequests(options);
  const others = otherRequests(options);
  const unanswered = new Set<ServerResponse>();
  const order = new RequestOrder(({ req, res }) => {
    const exchange = new Exchange(req, res, log);
    metrics.inFlight.inc();
    unanswered.add(res);
    if (state.closing) closeAfter(res);
    res.once('close', () => {
      unanswered.delete(res);
      exchange.end(metrics);
      // One whose head was sent before the stop has said keep-alive.
      if (state.closing) setImmediate(() => server.closeIdleConnections());
    });
    if (!blobs.take(exchange)) others(exchange);
  });
  server.on('request', (req: IncomingMessage, res: ServerResponse) => order.add({ req, res }));
  for (const expectation of ['checkContinue', 'checkExpectation']) {
    server.on(expectation, (req: IncomingMessage, res: ServerResponse) => {
      holdBody(req);
      order.add({ req, res });
    });
  }
  server.on('timeout', (socket: Socket) => {
    // The idle limit is for clients. While the store works on what has come whole, nothing moves on the wire.
    if (isWaitingForStore(order.current(socket))) socket.setTimeout(settings.DATA_IDLE_TIMEOUT_MS);
    else socket.destroy();
  });
  server.on('clientError', (err: NodeJS.ErrnoException, socket: Socket) => {
    if (isBrokenConnection(err)) log.debug({ code: err.code }, 'a connection has broken');
    else log.info({ code: err.code, reason: err.message }, 'malformed request');
    refuseMalformed(err, socket, order.owesAnswer(socket));
  });
  server.on('drop', () => log.warn('refused a connection: DATA_MAX_CONNECTIONS are open'));

  const refusals = new Refusals(log, metrics.refusedConnections);
  const { ports, shutTls } = await openServerPorts({ plan: planDataPorts(settings), server, refusals, log });
  return {
    ports,
    close: async graceMs => {
      state.closing = true;
      unanswered.forEach(closeAfter);
      const timer = setTimeout(() => {
        log.warn({ graceMs }, 'cutting requests that did not end in time');
        server.closeAllConnections();
      }, graceMs);
      await Promise.all([new Promise(resolve => server.close(resolve)), shutTls()]);
      clearTimeout(timer);
    },
  };
}

function isWaitingForStore(request: PendingRequest | undefined): boolean {
  return request !== undefined && request.req.complete && !request.res.headersSent;
}

function closeAfter(res: ServerResponse): void {
  if (!res.headersSent) res.setHeader('connection', 'close');
}

/** Answers what is not about a blob. */
function otherRequests({ store }: RestServerOptions): (exchange: Exchange) => void {
  const exchanges = new WeakMap<ServerResponse, Exchange>();
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(dataRoutes(store));
  app.use(((err: unknown, _req, res, next) => {
    const exchange = exchanges.get(res);
    if (exchange === undefined) next(err);
    else exchange.fail(err);
  }) satisfies ErrorRequestHandler);
  return exchange => {
    exchanges.set(exchange.res, exchange);
    app(exchange.req, exchange.res);
  };
}
