/** Calls to one memcached server: a bounded number at once, each with a deadline, over a connection that is replaced after a fault. */
import type { Logger } from '../logger.js';
import type { HostAndPort } from '../settings.js';
import { type Command, Connection } from './connection.js';
import { MemcachedError } from './memcached-error.js';

export interface ServerClientOptions {
  readonly server: HostAndPort;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /**
   * How long one attempt may take. A call, with a second attempt, takes at most twice as long from its turn on. It waits
   * for its turn as long as the server answers others: that many calls wait is no fault of the server.
   */
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
  #lastAnswer = 0;
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
    await this.#turn();
    const end = performance.now() + 2 * deadlineMs;
    const timeLeft = (): number => Math.min(deadlineMs, Math.max(1, end - performance.now()));
    try {
      return await this.#run(command, timeLeft());
    } catch (err) {
      if (!repeatable || !isFault(err) || this.#closed) throw err;
      this.#options.log.debug({ err, server: this.name }, 'trying again on a new connection');
      return await this.#run(command, timeLeft());
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

  async #run<T>(command: Command<T>, timeMs: number): Promise<T> {
    try {
      const result = await this.#current().run(command, timeMs);
      this.#lastAnswer = performance.now();
      return result;
    } catch (err) {
      if (!isFault(err)) this.#lastAnswer = performance.now();
      throw err;
    }
  }

  #current(): Connection {
    if (this.#closed) throw new MemcachedError('CLOSED', 'the memcached client was closed');
    if (this.#connection?.isUsable !== true) {
      this.#connection?.retire(new Error('the connection is used up'));
      this.#connection = new Connection(this.#options);
    }
    return this.#connection;
  }

  /**
   * Waits until fewer than `maxInFlight` calls are on their way; first come, first served. Fails when no call has been
   * answered for the time that one may take.
   */
  #turn(): Promise<void> {
    if (this.#inFlight < this.#options.maxInFlight && this.#waiting.size === 0) {
      this.#inFlight += 1;
      return Promise.resolve();
    }
    const limitMs = 2 * this.#options.deadlineMs;
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout;
      const began = performance.now();
      const watch = (): void => {
        const silentMs = performance.now() - Math.max(began, this.#lastAnswer);
        if (silentMs < limitMs) {
          timer = setTimeout(watch, Math.max(1, limitMs - silentMs));
          return;
        }
        this.#waiting.delete(wake);
        reject(
          new MemcachedError(
            'UNAVAILABLE',
            `memcached ${this.name} answers none of the calls before this one`,
          ),
        );
      };
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
      watch();
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
