/** Calls to one memcached server: a bounded number at once, each with a deadline, over a connection that is replaced after a fault. */
import type { Logger } from '../logger.js';
import type { HostAndPort } from '../settings.js';
import { type Command, Connection } from './connection.js';
import { MemcachedError } from './memcached-error.js';

export interface ServerClientOptions {
  readonly server: HostAndPort;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** How long one attempt may take. A call, with its wait for a turn and a second attempt, takes at most twice as long. */
  readonly deadlineMs: number;
  /** Calls that are on their way at once; others wait for their turn. */
  readonly maxInFlight: number;
  readonly log: Logger;
}

export interface CallOptions {
  /** Whether the call may be made again, on a new connection, when it is not known whether it was carried out. */
  readonly repeatable: boolean;
}

export class ServerClient {
  readonly #options: ServerClientOptions;
  readonly #waiting = new Set<() => void>();
  #inFlight = 0;
  #connection: Connection | undefined;
  #closed = false;

  constructor(options: ServerClientOptions) {
    this.#options = options;
  }

  get name(): string {
    const { host, port } = this.#options.server;
    return `${host}:${port}`;
  }

  /** Rejects with a `MemcachedError`. */
  async call<T>(command: Command<T>, { repeatable }: CallOptions): Promise<T> {
    const { deadlineMs } = this.#options;
    const end = performance.now() + 2 * deadlineMs;
    const timeLeft = (): number => Math.min(deadlineMs, Math.max(1, end - performance.now()));
    await this.#turn(end);
    try {
      return await this.#current().run(command, timeLeft());
    } catch (err) {
      if (!repeatable || !isFault(err) || this.#closed) throw err;
      this.#options.log.debug({ err, server: this.name }, 'trying again on a new connection');
      return await this.#current().run(command, timeLeft());
    } finally {
      this.#inFlight -= 1;
      this.#next();
    }
  }

  /** Gives up the connection in use, so that the next call gets a new one. */
  replaceConnection(cause: Error): void {
    this.#connection?.retire(cause);
  }

  close(): void {
    this.#closed = true;
    this.#connection?.retire(new Error('the client was closed'));
    for (const wake of [...this.#waiting]) wake();
  }

  #current(): Connection {
    if (this.#closed) throw new MemcachedError('CLOSED', 'the memcached client was closed');
    if (this.#connection?.isUsable !== true) {
      this.#connection?.retire(new Error('the connection is used up'));
      this.#connection = new Connection(this.#options);
    }
    return this.#connection;
  }

  /** Waits until fewer than `maxInFlight` calls are on their way; first come, first served. */
  #turn(end: number): Promise<void> {
    if (this.#inFlight < this.#options.maxInFlight && this.#waiting.size === 0) {
      this.#inFlight += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => {
          this.#waiting.delete(wake);
          reject(
            new MemcachedError('UNAVAILABLE', `memcached ${this.name}: too many calls wait for an answer`),
          );
        },
        Math.max(1, end - performance.now()),
      );
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        if (this.#closed) {
          reject(new MemcachedError('CLOSED', 'the memcached client was closed'));
          return;
        }
        this.#inFlight += 1;
        resolve();
      };
      this.#waiting.add(wake);
    });
  }

  #next(): void {
    const [wake] = this.#waiting;
    wake?.();
  }
}

function isFault(err: unknown): boolean {
  return err instanceof MemcachedError && err.code === 'UNAVAILABLE';
}
