/**
 * What a client sends within one turn of the event loop goes out in one write: of what a call costs, a system
 * call of its own for each message would be the largest part.
 */
import http from 'node:http';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { TlsAgent } from '@zenko-modules/common/network/tls-agent';

/** Connections that are written to when the present turn has said all that it has to say. */
class HeldConnections {
  readonly #held = new Set<Duplex>();

  hold(connection: Duplex): void {
    if (this.#held.has(connection)) return;
    connection.cork();
    // socket.io takes a moment between two messages: a tick would be over by then.
    if (this.#held.size === 0) setImmediate(() => this.#release());
    this.#held.add(connection);
  }

  #release(): void {
    for (const connection of this.#held) connection.uncork();
    this.#held.clear();
  }
}

/** What a client has sent when it ends has so long to leave. */
const LAST_WRITE_MS = 1000;

/** For a client: what it has connected. */
class OpenConnections {
  readonly #open = new Set<Duplex>();
  readonly #held = new HeldConnections();

  add(connection: Duplex | null | undefined): void {
    if (!connection) return;
    this.#open.add(connection);
    connection.once('close', () => this.#open.delete(connection));
  }

  hold(): void {
    for (const connection of this.#open) this.#held.hold(connection);
  }

  end(): void {
    for (const connection of this.#open) {
      connection.end(() => connection.destroy());
      // What is on its way to a module that takes nothing stays there. The timer itself keeps nobody.
      setTimeout(() => connection.destroy(), LAST_WRITE_MS).unref();
    }
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

  /** Ends the connections once they have sent what they were given, whatever the other side says. */
  end(): void {
    this.#open.end();
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

  /** Ends the connections once they have sent what they were given, whatever the other side says. */
  end(): void {
    this.#open.end();
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
