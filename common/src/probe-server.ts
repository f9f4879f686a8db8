/**
 * Health and metrics for people and orchestrators, on a port of their own:
 * `/_/live` (the process answers), `/_/ready` (it can do its work now; 503 with the reason otherwise),
 * `/metrics` (Prometheus text), `/_/status` (a page for a browser). Backbeat's older paths answer the same.
 * Commands of a part's own are taken by POST, and from this machine only.
 */
import http from 'node:http';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { withDeadline } from './deadline.js';
import { messageOf } from './errors.js';
import { listen } from './listen.js';
import { originForm } from './origin-form.js';
import { PAGE_HEADERS } from './status/page.js';
import type { Health } from './status/peers.js';
import { Status, type StatusOptions } from './status/status.js';

/** How long a readiness check may take before it counts as failed. */
const READY_DEADLINE_MS = 3000;

/** Where the text of `/metrics` comes from: a registry, or several processes' together. */
export type MetricsSource = Pick<Registry, 'contentType' | 'metrics' | 'getMetricsAsJSON'>;

export interface ProbeServerOptions {
  readonly address: string;
  readonly port: number;
  /** The setting that the port came from, for the message when it is in use. */
  readonly portSetting: string;
  readonly registry: MetricsSource;
  /** Resolves when the part can do its work; rejects with the reason otherwise. */
  readonly ready: () => Promise<void>;
  /** What the answer of a part that is ready says beside that, such as the role that it has now. */
  readonly details?: () => Readonly<Record<string, string>>;
  /** What a POST to a path such as `/_/pause` does. */
  readonly commands?: Readonly<Record<string, () => void | Promise<void>>>;
  /** What `/_/status` shows; without it there is no such page. */
  readonly status?: StatusOptions;
}

export interface ProbeServer {
  readonly port: number;
  close(): Promise<void>;
}

/** A metrics registry with the process's own metrics in it. */
export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** @throws StartError when the port cannot be bound. */
export async function startProbeServer(options: ProbeServerOptions): Promise<ProbeServer> {
  const status =
    options.status &&
    new Status(options.status, {
      metrics: () => options.registry.getMetricsAsJSON(),
      health: () => healthOf(options),
    });
  const server = http.createServer((req, res) => {
    answer(req, options, status).then(
      ({ status, type, body, headers }) => {
        res.writeHead(status, {
          ...headers,
          'content-type': type,
          'content-length': Buffer.byteLength(body),
        });
        res.end(req.method === 'HEAD' ? undefined : body);
      },
      (err: unknown) => {
        res.writeHead(500, { 'content-type': 'text/plain' });
        res.end(messageOf(err));
      },
    );
  });
  const port = await listen(server, options.portSetting, options.port, options.address);
  status?.start();
  return {
    port,
    close: () =>
      new Promise(resolve => {
        status?.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answer(
  req: http.IncomingMessage,
  options: ProbeServerOptions,
  status: Status | undefined,
): Promise<Answer> {
  const { registry, details, commands = {} } = options;
  const path = originForm(req.url ?? '/')?.url.split('?', 1)[0] ?? '';
  const command = Object.hasOwn(commands, path) ? commands[path] : undefined;
  if (command) return obey(req, command);
  switch (path) {
    case '/_/live':
    case '/_/health/liveness':
      return json(200, { status: 'live' });
    case '/_/ready':
    case '/_/health/readiness':
      try {
        await checkReady(options);
        return json(200, { status: 'ready', ...details?.() });
      } catch (err) {
        return json(503, { status: 'not ready', reason: messageOf(err) });
      }
    case '/_/status':
      if (status === undefined) return unknownPath(commands);
      if (req.method !== 'GET' && req.method !== 'HEAD')
        return json(405, { error: 'this path takes GET' }, { allow: 'GET, HEAD' });
      return {
        status: 200,
        type: 'text/html; charset=utf-8',
        body: await status.render(),
        headers: PAGE_HEADERS,
      };
    case '/metrics':
    case '/_/monitoring/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    default:
      return unknownPath(commands);
  }
}

function unknownPath(commands: NonNullable<ProbeServerOptions['commands']>): Answer {
  const known = ['/_/live', '/_/ready', '/_/status', '/metrics', ...Object.keys(commands)];
  return json(404, { error: `known paths are ${known.join(', ')}` });
}

function checkReady({ ready }: ProbeServerOptions): Promise<void> {
  return withDeadline(ready(), READY_DEADLINE_MS, 'the readiness check');
}

/** For people: whether the part is ready, as what, or why not. */
async function healthOf(options: ProbeServerOptions): Promise<Health> {
  try {
    await checkReady(options);
    return { isReady: true, text: ['ready', ...Object.values(options.details?.() ?? {})].join(', ') };
  } catch (err) {
    return { isReady: false, text: `not ready, ${messageOf(err)}` };
  }
}

/** Probes may be open to a whole network, and metrics to a browser; commands are for who is on this machine. */
async function obey(req: http.IncomingMessage, command: () => void | Promise<void>): Promise<Answer> {
  if (req.method !== 'POST') return json(405, { error: 'this path takes POST' }, { allow: 'POST' });
  if (!isLoopback(req.socket.remoteAddress ?? '') || req.headers.origin !== undefined) {
    return json(403, { error: 'this is taken from the machine itself only, and from no web page' });
  }
  await command();
  return json(200, { status: 'done' });
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.replace(/^::ffff:/i, '').startsWith('127.');
}

function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n`, headers };
}
