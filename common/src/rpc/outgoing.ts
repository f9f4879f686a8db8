/**
 * All that is sent to one client. What a client does not read piles up on our side: one that lets too much
 * pile up is cut off.
 */
import type { Socket } from 'socket.io';
import type { Logger } from '../logger.js';
import { approximateBytes } from './approximate-bytes.js';
import type { StreamSocket } from './stream-sender.js';

export class Outgoing implements StreamSocket {
  readonly #socket: Socket;
  readonly #maxBytes: number;
  readonly #log: Logger;
  /** Sent since the transport last took something. */
  #unsent = 0;

  constructor(socket: Socket, maxBytes: number, log: Logger) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#log = log;
    const onDrain = (): void => {
      this.#unsent = 0;
    };
    socket.conn.on('drain', onDrain);
    socket.once('disconnect', () => socket.conn.off('drain', onDrain));
  }

  /** Calls `acknowledge`, which sends its arguments. */
  answer(acknowledge: (...values: unknown[]) => void, values: readonly unknown[]): void {
    this.#send(values, () => acknowledge(...values));
  }

  request(event: string, payload: unknown, timeoutMs: number, onAck: (err: Error | null) => void): void {
    this.#send(payload, () => {
      this.#socket.timeout(timeoutMs).emit(event, payload, (err: Error | null) => onAck(err));
    });
  }

  notify(event: string, payload: unknown): void {
    this.#send(payload, () => this.#socket.emit(event, payload));
  }

  #send(content: unknown, send: () => void): void {
    this.#unsent += approximateBytes(content);
    send();
    if (this.#unsent <= this.#maxBytes || !this.#socket.connected) return;
    this.#log.warn({ unsent: this.#unsent }, 'a client that does not read its answers is cut off');
    // At once: an orderly end would wait until the client has read all that it does not read.
    this.#socket.conn.close(true);
  }
}
