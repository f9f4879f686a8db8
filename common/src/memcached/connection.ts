/**
 * One connection to one memcached server, by memjs 1.3, used until its first fault and never after it.
 *
 * What memjs does when a connection breaks must not reach anybody: after a reset in the midst of a value it
 * reports success with wrong bytes, because it keeps what it had received and appends the next connection's
 * bytes; after a clean close its calls never settle; it tries again what may have been carried out. So it
 * is given no second connection: whatever ends the first retires the client, in the same tick, and fails
 * all that was outstanding.
 */
import { Client } from 'memjs';
import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import type { HostAndPort } from '../settings.js';
import { FramedServer } from './framed-server.js';
import { MemcachedError, type MemcachedErrorCode } from './memcached-error.js';

/** memjs numbers its requests and fails at 2^31. */
const MAX_REQUESTS = 2 ** 30;

/** Deadlines are ours: those of memjs are put out of the way, in seconds. */
const NEVER_S = 1_000_000;

/** The server's answers that leave the connection in order, as memjs words them. */
const ANSWERS: Readonly<Record<string, MemcachedErrorCode>> = {
  'Value too large': 'TOO_LARGE',
  'Out of memory': 'OUT_OF_MEMORY',
};
const DENIED = /authentication/i;

/** @param server of the client, to which the command goes */
export type Command<T> = (
  client: Client,
  done: (err: Error | null, result: T) => void,
  server: FramedServer,
) => void;

export interface ConnectionOptions {
  readonly server: HostAndPort;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly log: Logger;
}

export class Connection {
  readonly #server: FramedServer;
  readonly #client: Client;
  readonly #name: string;
  readonly #outstanding = new Set<(cause: unknown) => void>();
  #retired: { readonly cause: unknown } | undefined;
  #requests = 0;

  /** Connects at once; commands wait for it. */
  constructor({ server, user, password, log }: ConnectionOptions) {
    this.#name = `${server.host}:${server.port}`;
    this.#server = new FramedServer(server.host, server.port, user, password, {
      timeout: NEVER_S,
      conntimeout: NEVER_S,
      keepAlive: true,
    });
    this.#client = new Client([this.#server], {
      // One try: memjs takes 0 for the default.
      retries: 1,
      logger: { log: (text: unknown) => log.debug({ server: this.#name }, String(text)) },
    });
    this.#server.sock(false, socket => {
      socket.once('close', () => this.retire(new Error('the server closed the connection')));
    });
  }

  /** Whether commands can still be given. */
  get isUsable(): boolean {
    return this.#retired === undefined && this.#requests < MAX_REQUESTS;
  }

  /**
   * Gives a command and waits for its answer. Rejects with `UNAVAILABLE` (or `UNAUTHORIZED`) when the
   * connection broke or `deadlineMs` passed, after which the connection is not usable; with another code for an
   * answer of the server.
   */
  run<T>(command: Command<T>, deadlineMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#requests += 1;
      const settle = (): void => {
        clearTimeout(timer);
        this.#outstanding.delete(fail);
      };
      const fail = (cause: unknown): void => {
        settle();
        const code = DENIED.test(textOf(cause)) ? 'UNAUTHORIZED' : 'UNAVAILABLE';
        reject(new MemcachedError(code, `memcached ${this.#name}: ${textOf(cause)}`, { cause }));
      };
      const timer = setTimeout(() => this.retire(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
      this.#outstanding.add(fail);
      const done = (err: Error | null, result: T): void => {
        if (!this.#outstanding.has(fail)) return;
        if (err === null) {
          settle();
          resolve(result);
          return;
        }
        const code = ANSWERS[textOf(err).replace(/^MemJS \w+: /, '')];
        if (code === undefined) {
          this.retire(err);
          return;
        }
        settle();
        reject(new MemcachedError(code, `memcached ${this.#name}: ${textOf(err)}`, { cause: err }));
      };
      command(this.#client, done, this.#server);
    });
  }

  /** Closes the connection and fails what is outstanding. May be called again. */
  retire(cause: unknown): void {
    if (this.#retired !== undefined) return;
    this.#retired = { cause };
    for (const fail of [...this.#outstanding]) fail(cause);
    // Unlike its `close`, this destroys the socket: one whose other end stands still would stay for ever.
    this.#server.error(new Error(`retired: ${textOf(cause)}`));
  }
}

/** memjs reports some failures as bare strings. */
function textOf(err: unknown): string {
  return messageOf(err);
}
