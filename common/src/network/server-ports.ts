/** Opens the ports of a module before its HTTP server. */
import type http from 'node:http';
import type { Server } from 'node:net';
import { listen } from '../listen.js';
import type { Logger } from '../logger.js';
import { admitFrom } from './admit-from.js';
import type { PlannedPort, PortPlan } from './port-plan.js';
import type { Refusals } from './refusals.js';
import { TlsAcceptor } from './tls-acceptor.js';

export interface ServerPortsOptions {
  readonly plan: PortPlan;
  /** Has its listeners and its limits already. Whoever made it closes it. */
  readonly server: http.Server;
  readonly refusals: Refusals;
  readonly log: Logger;
}

export interface ServerPorts {
  /** By setting name. */
  readonly ports: Readonly<Record<string, number>>;
  /** Takes no new connections over TLS. Resolves when those that are open have ended. */
  readonly shutTls: () => Promise<void>;
}

/** @throws StartError when a port cannot be bound, or a certificate cannot be used */
export async function openServerPorts(options: ServerPortsOptions): Promise<ServerPorts> {
  const { plan, server, refusals, log } = options;
  const ports: Record<string, number> = {};
  // Before those that are let in by the plain port only.
  const serve = servingOf(server);
  const acceptor =
    plan.tls &&
    (await TlsAcceptor.create({
      files: plan.tls.files,
      serve,
      portSetting: plan.tls.setting,
      refusals,
      log,
    }));
  const open = async (planned: PlannedPort, at: Server): Promise<void> => {
    const { setting, port, address, allowFrom } = planned;
    admitFrom(at, { allowFrom, portSetting: setting, refusals });
    ports[setting] = await listen(at, setting, port, address);
    at.on('error', err => log.error({ err, port: setting }, 'the server cannot accept connections'));
  };
  const shutTls = async (): Promise<void> => {
    if (acceptor === undefined) return;
    acceptor.close();
    if (acceptor.server.listening) await new Promise(resolve => acceptor.server.close(resolve));
  };
  try {
    if (plan.plain) await open(plan.plain, server);
    // From this event on an HTTP server ends requests that are too slow.
    else server.emit('listening');
    if (plan.tls && acceptor) {
      acceptor.server.maxConnections = server.maxConnections;
      acceptor.server.on('drop', () => server.emit('drop'));
      await open(plan.tls, acceptor.server);
    }
  } catch (err) {
    void shutTls();
    server.close();
    throw err;
  }
  return { ports, shutTls };
}

function servingOf(server: http.Server): (socket: unknown) => void {
  const listeners = server.listeners('connection');
  return socket => {
    for (const listener of listeners) Reflect.apply(listener, server, [socket]);
  };
}
