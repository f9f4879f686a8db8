/**
 * All that is sent to one client. What a client does not read piles up on our side: one that lets too much
 * pile up is cut off.
 */
import type { Socket } from 'socket.io';
import { approximateBytes } from './approximate-bytes.js';
import type { StreamSocket } from './stream-sender.js';
import type { Reader, UnreadBytes } from './unread-bytes.js';

type Connection = Socket['conn'];

export class Outgoing implements StreamSocket, Reader {
  readonly #socket: Socket;
  readonly #maxBytes: number;
  readonly #ofAll: UnreadBytes;
  readonly #onCutOff: (unread: number) => void;
  /** Sent, and not yet taken by the transport, … */
  #waiting = 0;
  /** … or taken by it, and not yet passed on to the client's machine. */
  #passing = 0;

  /**
   * @param ofAll bounds what all clients leave unread.
   * @param onCutOff told how many bytes were unread.
   */
  constructor(socket: Socket, maxBytes: number, ofAll: UnreadBytes, onCutOff: (unread: number) => void) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#ofAll = ofAll;
    this.#onCutOff = onCutOff;
    // The name of the event means the line to the transport, which takes all of it when it has passed on what it took before.
    const onTaken = (): void => {
      this.#passing = this.#waiting;
      this.#waiting = 0;
    };
    socket.conn.on('drain', onTaken);
    ofAll.add(this);
    socket.once('disconnect', () => {
      socket.conn.off('drain', onTaken);
      ofAll.delete(this);
    });
  }

  get unread(): number {
    if (this.#socket.conn.transport.writable) this.#passing = 0;
    return this.#waiting + this.#passing;
  }

  /** Calls `acknowledge`, which sends its arguments. */
  answer(acknowledge: (...values: unknown[]) => void, values: readonly unknown[]): void {
    this.#send(approximateBytes(values), () => acknowledge(...values));
  }

  request(
    event: string,
    payload: unknown,
    bytes: number,
    timeoutMs: number,
    onAck: (err: Error | null) => void,
  ): void {
    // `onAck` itself: a function made here would keep the payload in memory until it is called.
    this.#send(bytes, () => this.#socket.timeout(timeoutMs).emit(event, payload, onAck));
  }

  notify(event: string, payload: unknown): void {
    this.#send(approximateBytes(payload), () => this.#socket.emit(event, payload));
  }

  cutOff(): void {
    this.#onCutOff(this.unread);
    destroy(this.#socket.conn);
  }

  #send(bytes: number, send: () => void): void {
    if (!this.#socket.connected) return;
    this.#waiting += bytes;
    send();
    if (this.unread > this.#maxBytes) this.cutOff();
    else this.#ofAll.sent(bytes);
  }
}

/** Ends a connection at once: an orderly end waits until the client has read all that it does not read. */
function destroy(conn: Connection): void {
  const webSocket: unknown = Reflect.get(conn.transport, 'socket');
  conn.close(true);
  if (isTerminable(webSocket)) webSocket.terminate();
}

function isTerminable(value: unknown): value is { terminate(): void } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'terminate' in value &&
    typeof value.terminate === 'function'
  );
}
