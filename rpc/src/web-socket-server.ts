import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { MAX_TEXT_LENGTH, TextFrames } from './text-frames.js';

type Data = Parameters<WebSocket['send']>[0];
type Done = (err?: Error) => void;

/** As long as less than this waits in a connection, what is sent counts as gone. */
const MAX_WAITING_BYTES = 32 * 1024;

/** engine.io lets one message go, and others when that has gone: here small ones have gone at once, and are joined. */
class EagerWebSocket extends WebSocket {
  #frames: TextFrames | undefined;

  /** Sends small messages by its connection itself. */
  joinOn(connection: Duplex): void {
    this.#frames = new TextFrames(connection);
  }

  override send(data: Data, options?: Parameters<WebSocket['send']>[1] | Done, done?: Done): void {
    if (typeof options !== 'function') {
      this.#frames?.flush();
      super.send(data, options ?? {}, done);
    } else if (typeof data === 'string' && this.#frames && this.#takes(data.length, this.#frames)) {
      this.#frames.add(data);
      options();
    } else {
      this.#frames?.flush();
      super.send(data, options);
    }
  }

  override close(code?: number, reason?: string | Buffer): void {
    this.#frames?.flush();
    super.close(code, reason);
  }

  #takes(length: number, frames: TextFrames): boolean {
    return (
      this.readyState === WebSocket.OPEN &&
      length <= MAX_TEXT_LENGTH &&
      frames.waiting + length <= MAX_WAITING_BYTES
    );
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
        client.joinOn(connection);
        onUpgraded(client, connection);
        done(client, request);
      });
    }
  };
}
