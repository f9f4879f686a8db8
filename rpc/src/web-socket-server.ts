import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';

type Data = Parameters<WebSocket['send']>[0];
type Done = (err?: Error) => void;

/** As long as less than this waits in a connection, what is sent counts as gone. */
const MAX_WAITING_BYTES = 32 * 1024;

/**
 * engine.io lets one message go, and others when that has gone: of the answers of one turn the first would be
 * written alone.
 */
class EagerWebSocket extends WebSocket {
  connection: Duplex | undefined;

  override send(data: Data, options?: Parameters<WebSocket['send']>[1] | Done, done?: Done): void {
    if (typeof options !== 'function') {
      super.send(data, options ?? {}, done);
    } else if (typeof data === 'string' && this.#takes(data.length)) {
      super.send(data);
      options();
    } else {
      super.send(data, options);
    }
  }

  #takes(length: number): boolean {
    const waiting = this.connection?.writableLength ?? Infinity;
    return this.readyState === WebSocket.OPEN && waiting + length <= MAX_WAITING_BYTES;
  }
}

/**
 * A class of web socket servers, as engine.io takes one.
 * @param onUpgraded told of each client with the connection below it, before anybody else is.
 */
export function webSocketServer(
  onUpgraded: (client: WebSocket, connection: Duplex) => void,
): new (options?: ServerOptions) => WebSocketServer {
  return class extends WebSocketServer<typeof EagerWebSocket> {
    constructor(options?: ServerOptions) {
      super({ ...options, WebSocket: EagerWebSocket });
    }

    override handleUpgrade(
      req: http.IncomingMessage,
      connection: Duplex,
      head: Buffer,
      done: (client: EagerWebSocket, request: http.IncomingMessage) => void,
    ): void {
      super.handleUpgrade(req, connection, head, (client, request) => {
        client.connection = connection;
        onUpgraded(client, connection);
        done(client, request);
      });
    }
  };
}
