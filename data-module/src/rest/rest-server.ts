/** The HTTP server of the data interface: its limits, its errors, and its graceful end. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { toCatalogueError } from '@zenko-modules/common/errors';
import { listen } from '@zenko-modules/common/listen';
import type { Logger } from '@zenko-modules/common/logger';
import type { SettingsOf } from '@zenko-modules/common/settings';
import express, { type ErrorRequestHandler } from 'express';
import type { DataMetrics } from '../data-metrics.js';
import type { DATA_SETTINGS } from '../data-settings.js';
import type { DataStore } from '../data-store.js';
import { refuseMalformed } from './client-error.js';
import { answerError } from './error-answer.js';
import { observeRequests } from './observe-requests.js';
import { holdBody } from './request-body.js';
import { requestContext } from './request-context.js';
import { dataRoutes } from './routes.js';

/** How long a client may take to send the head of a request. */
const HEAD_TIMEOUT_MS = 60_000;

export interface RestServerOptions {
  readonly store: DataStore;
  readonly settings: SettingsOf<typeof DATA_SETTINGS>;
  readonly metrics: DataMetrics;
  readonly log: Logger;
}

export interface RestServer {
  readonly port: number;
  /** Stops accepting, lets what is in flight end within `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

/** @throws StartError when the port cannot be bound. */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { settings, log } = options;
  const app = dataApp(options);
  const server = http.createServer({
    keepAliveTimeout: settings.DATA_KEEP_ALIVE_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    // Uploads may take hours; only one that stands still is cut, by the idle limit.
    requestTimeout: 0,
    // The routes check it: of Node's own answers none is an error of the catalogue.
    requireHostHeader: false,
  });
  server.timeout = settings.DATA_IDLE_TIMEOUT_MS;
  server.maxConnections = settings.DATA_MAX_CONNECTIONS;

  const state = { closing: false };
  const latest = new WeakMap<Duplex, Exchange>();
  const unanswered = new Set<ServerResponse>();
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    latest.set(req.socket, { req, res });
    unanswered.add(res);
    if (state.closing) closeAfter(res);
    waitForStore(req, res);
    res.once('close', () => {
      unanswered.delete(res);
      // One whose head was sent before the stop has said keep-alive.
      if (state.closing) setImmediate(() => server.closeIdleConnections());
    });
    app(req, res);
  };
  server.on('request', onRequest);
  for (const expectation of ['checkContinue', 'checkExpectation']) {
    server.on(expectation, (req: IncomingMessage, res: ServerResponse) => {
      holdBody(req);
      onRequest(req, res);
    });
  }
  server.on('clientError', (err: NodeJS.ErrnoException, socket: Duplex) => {
    log.info({ code: err.code, reason: err.message }, 'malformed request');
    refuseMalformed(err, socket, owesAnswer(latest.get(socket)));
  });
  server.on('drop', () => log.warn('refused a connection: DATA_MAX_CONNECTIONS are open'));

  const port = await listen(server, 'DATA_PORT', settings.DATA_PORT, settings.LISTEN_ADDRESS);
  server.on('error', err => log.error({ err }, 'the server cannot accept connections'));
  return {
    port,
    close: graceMs =>
      new Promise(resolve => {
        state.closing = true;
        unanswered.forEach(closeAfter);
        const timer = setTimeout(() => {
          log.warn({ graceMs }, 'cutting requests that did not end in time');
          server.closeAllConnections();
        }, graceMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** Whether bytes written now would be taken for an answer, or a part of one, to a request that was in order. */
function owesAnswer(exchange: Exchange | undefined): boolean {
  if (exchange === undefined || exchange.res.writableFinished) return false;
  return exchange.req.complete || exchange.res.headersSent;
}

function closeAfter(res: ServerResponse): void {
  if (!res.headersSent) res.setHeader('connection', 'close');
}

/** The idle limit is for clients. While a complete upload is being brought to stable storage, nothing moves on the wire. */
function waitForStore(req: IncomingMessage, res: ServerResponse): void {
  if (req.method === 'PUT') req.once('end', () => res.headersSent || req.socket.setTimeout(0));
}

function dataApp({ store, metrics, log }: RestServerOptions): express.Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(observeRequests(log, metrics));
  app.use(dataRoutes(store));
  app.use(((err: unknown, req, res, next) => {
    const named = toCatalogueError(err);
    requestContext(res).error = named;
    answerError(named, req, res).catch(next);
  }) satisfies ErrorRequestHandler);
  return app;
}
