/**
 * What is sent to a client within one turn of the event loop goes out in one write: of what a call costs, a
 * system call of its own for its answer would be the largest part.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

export class JointWrites {
  readonly #connections = new WeakMap<object, Duplex>();
  readonly #held = new Set<Duplex>();

  add(client: WebSocket, connection: Duplex): void {
    this.#connections.set(client, connection);
  }

  /** To be called before something is sent. @param client a web socket, or whatever else a transport has. */
  hold(client: unknown): void {
    if (typeof client !== 'object' || client === null) return;
    const connection = this.#connections.get(client);
    if (connection === undefined || this.#held.has(connection)) return;
    connection.cork();
    // After all that the present turn has to say.
    if (this.#held.size === 0) process.nextTick(() => this.#release());
    this.#held.add(connection);
  }

  #release(): void {
    for (const connection of this.#held) connection.uncork();
    this.#held.clear();
  }
}
