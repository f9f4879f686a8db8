/**
 * What is sent to one peer within one turn of the event loop goes out in one write: of what a call costs, a
 * system call of its own for each message would be the largest part.
 */
import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { TlsAgent } from '@zenko-modules/common/network/tls-agent';
import type { WebSocket } from 'ws';

/** Connections that are written to when the present turn has said all that it has to say. */
class HeldConnections {
  readonly #held = new Set<Duplex>();
  readonly #later: (release: () => void) => unknown;

  /** @param later runs `release` at the end of the turn. */
  constructor(later: (release: () => void) => unknown) {
    this.#later = later;
  }

  hold(connection: Duplex): void {
    if (this.#held.has(connection)) return;
    connection.cork();
    if (this.#held.size === 0) this.#later(() => this.#release());
    this.#held.add(connection);
  }

  #release(): void {
    for (const connection of this.#held) connection.uncork();
    this.#held.clear();
  }
}

/** For a server: by web socket. */
export class JointWrites {
  readonly #connections = new WeakMap<object, Duplex>();
  readonly #held = new HeldConnections(release => process.nextTick(release));

  add(client: WebSocket, connection: Duplex): void {
    this.#connections.set(client, connection);
  }

  /** To be called before something is sent. @param client a web socket, or whatever else a transport has. */
  hold(client: unknown): void {
    if (typeof client !== 'object' || client === null) return;
    const connection = this.#connections.get(client);
    if (connection) this.#held.hold(connection);
  }
}

/** For a client: what it has connected. */
class OpenConnections {
  readonly #open = new Set<Duplex>();
  // socket.io takes a moment between two messages: a tick would be over by then.
  readonly #held = new HeldConnections(setImmediate);

  add(connection: Duplex | null | undefined): void {
    if (!connection) return;
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
  }

  hold(): void {
    for (const connection of this.#open) this.#held.hold(connection);
  }
}

type OnConnection = (err: Error | null, stream: Duplex) => void;

/** For a client: makes its connections. */
export class JointWritesAgent extends http.Agent {
  readonly #open = new OpenConnections();

  /** To be called before something is sent. */
  hold(): void {
    this.#open.hold();
  }

  override createConnection(options: net.NetConnectOpts, callback?: OnConnection): Duplex | null | undefined {
    const connection = super.createConnection(options, callback);
    this.#open.add(connection);
    return connection;
  }
}

/** The same over TLS. */
export class JointWritesTlsAgent extends TlsAgent {
  readonly #open = new OpenConnections();

  /** To be called before something is sent. */
  hold(): void {
    this.#open.hold();
  }

  override createConnection(
    options: Parameters<TlsAgent['createConnection']>[0],
    callback?: OnConnection,
  ): Duplex | null | undefined {
    const connection = super.createConnection(options, callback);
    this.#open.add(connection);
    return connection;
  }
}
