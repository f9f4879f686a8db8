import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';

/**
 * A class of web socket servers, as engine.io takes one.
 * @param onUpgraded told of each client with the connection below it, before anybody else is.
 */
export function webSocketServer(
  onUpgraded: (client: WebSocket, connection: Duplex) => void,
): new (options?: ServerOptions) => WebSocketServer {
  return class extends WebSocketServer {
    override handleUpgrade(
      req: http.IncomingMessage,
      connection: Duplex,
      head: Buffer,
      done: (client: WebSocket, request: http.IncomingMessage) => void,
    ): void {
      super.handleUpgrade(req, connection, head, (client, request) => {
        onUpgraded(client, connection);
        done(client, request);
      });
    }
  };
}
