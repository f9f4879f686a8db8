/**
 * The server of the socket.io RPC on port 9990, for clients of all generations (socket.io-client 1 to 4).
 *
 * Nothing that arrives on a socket throws out of here: whatever is wrong with a call is answered with an
 * error of the catalogue. Calls of one socket run concurrently.
 */
import http from 'node:http';
import { Server, type Namespace, type Socket } from 'socket.io';
import { CatalogueError, toCatalogueError } from '@zenko-modules/common/errors';
import { listen } from '@zenko-modules/common/listen';
import { type ConnectionOptions, RpcConnection } from './connection.js';
import { countBodies, countFrames } from './incoming-bytes.js';
import { RPC_LIMITS } from './limits.js';
import { MESSAGE_PARSER } from './message-parser.js';
import { awaitUpgrade } from './old-clients.js';
import { newServerState } from './server-state.js';
import type { RpcService } from './service.js';
import { UnfinishedMessages } from './unfinished-messages.js';
import { webSocketServer } from './web-socket-server.js';
import { MAX_MESSAGE_BYTES, toWireError } from './wire.js';

export interface RpcServerOptions extends ConnectionOptions {
  readonly address: string;
  readonly port: number;
  /** The setting that the port came from, for the message when it is in use. */
  readonly portSetting: string;
  /** Gives the server its connections in place of a port of its own, and resolves with the port that they come by. */
  readonly bind?: ((server: http.Server) => Promise<number> | number) | undefined;
  readonly services: readonly RpcService[];
}

export interface RpcServer {
  readonly port: number;
  /** Streams that are open now, over all sockets. */
  readonly openStreams: number;
  /** Takes no new calls, lets those in flight finish, ends every stream with an error, and each connection when it is done. */
  close(): Promise<void>;
}

/** @throws StartError when the port cannot be bound. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { log } = options;
  const httpServer = http.createServer((_req, res) => {
    res.writeHead(404, { 'content-type': 'text/plain' });
    res.end('this port speaks socket.io\n');
  });
  const limits = { ...RPC_LIMITS, ...options.limits };
  const unfinished = new UnfinishedMessages(limits.unfinishedBytes);
  const onRefused = (): void => {
    log.warn('a client was cut off: unfinished messages of all clients take too much memory');
    options.observer?.clientCutOff('unfinished messages');
  };
  const io = new Server(httpServer, {
    allowEIO3: true,
    wsEngine: webSocketServer((client, connection) => {
      countFrames(client, connection, unfinished, onRefused);
    }),
    maxHttpBufferSize: MAX_MESSAGE_BYTES,
    parser: MESSAGE_PARSER,
    // A client too busy to move on to websocket in the usual 10 s would hang between both for good.
    upgradeTimeout: 60_000,
    serveClient: false,
  });
  countBodies(httpServer, unfinished, onRefused);
  const connections = new Set<RpcConnection>();
  const state = newServerState(limits);
  const upgraded = awaitUpgrade(io, limits.upgradeMs);
  for (const service of options.services) {
    io.of(service.namespace)
      .use(upgraded)
      .on('connection', (socket: Socket) => {
        const connection = new RpcConnection(socket, service, options, state);
        connections.add(connection);
        socket.once('disconnect', () => {
          connections.delete(connection);
          connection.end();
        });
      });
  }
  refuseCalls(io.of('/'), options.services);
  io.engine.on('connection_error', (err: { message: string }) => {
    log.debug({ reason: err.message }, 'a connection was refused');
  });
  const listenHere = (): Promise<number> =>
    listen(httpServer, options.portSetting, options.port, options.address);
  const port = await (options.bind?.(httpServer) ?? listenHere());
  return {
    port,
    get openStreams() {
      return state.streams;
    },
    close: async () => {
      state.stopping = true;
      await Promise.all([...byTransport(connections)].map(drain));
      await io.close();
      httpServer.closeAllConnections();
    },
  };
}

function byTransport(connections: Iterable<RpcConnection>): Map<Socket['conn'], RpcConnection[]> {
  const all = new Map<Socket['conn'], RpcConnection[]>();
  for (const connection of connections) {
    const { transport } = connection;
    all.set(transport, [...(all.get(transport) ?? []), connection]);
  }
  return all;
}

/** Each client is cut as soon as nothing is owed to it, and may connect to another server. */
async function drain([conn, connections]: [Socket['conn'], readonly RpcConnection[]]): Promise<void> {
  await Promise.all(connections.map(connection => connection.drain()));
  // Not as a disconnection that is announced: clients would take it for good. One that is still on its way from
  // polling to websocket goes with the server.
  if (conn.transport.name === 'websocket') conn.close();
}

/** Clients before socket.io 3 are always connected to the root namespace too, where nothing is offered. */
function refuseCalls(root: Namespace, services: readonly RpcService[]): void {
  const known = services.map(service => service.namespace).join(' and ');
  root.on('connection', (socket: Socket) => {
    // A client may send an event of this name; without a listener it would be thrown.
    socket.on('error', () => undefined);
    socket.on('call', (...received: unknown[]) => {
      const ack = received.at(-1);
      if (typeof ack !== 'function') return;
      const err = new CatalogueError('InvalidArgument', `namespace / offers no calls: ${known} do`);
      Reflect.apply(ack, undefined, [toWireError(toCatalogueError(err))]);
    });
  });
}
