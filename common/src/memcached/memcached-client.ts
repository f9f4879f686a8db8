/**
 * Items in memcached. A thin, careful layer over memjs: every call has a deadline, every value a checksum,
 * and a connection that failed is never used again.
 *
 * A key lies on one server, by memjs's own rule: its hash modulo the number of servers. Changing the number
 * or the order of the servers moves keys; whoever keeps something in memcached must guard against that.
 */
import { Utils } from 'memjs';
import type { Logger } from '../logger.js';
import type { HostAndPort } from '../settings.js';
import type { Command } from './connection.js';
import { type ItemValue, openItem, sealItem } from './item.js';
import { MemcachedError } from './memcached-error.js';
import { ServerClient } from './server-client.js';

export interface MemcachedClientOptions {
  /** At least one. Their order matters. */
  readonly servers: readonly HostAndPort[];
  /** SASL PLAIN, for all servers alike. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /**
   * How long one attempt may take, in milliseconds. A call settles within twice that from its turn on, which includes,
   * where it is safe, a second attempt on a new connection. It waits for its turn while the server answers others.
   */
  readonly deadlineMs: number;
  /** Calls that are on their way to one server at once; others wait. Each holds its item in memory. */
  readonly maxInFlightPerServer: number;
  readonly log: Logger;
}

export interface ItemOptions {
  /** The server forgets the item after so many seconds; 0 or none: never. At most 30 days. */
  readonly expiresInSeconds?: number;
}

export interface ServerUsage {
  readonly server: string;
  /** Bytes that items take now, and that they may take. */
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/**
 * How long after a connection broke something that was sent on it may still come to its server. A server that stood
 * still reads all its connections when it moves again, and one that answers has read them a moment later.
 */
export const LATE_MS = 1000;

/** Longest key that a server takes, in bytes. */
const MAX_KEY_BYTES = 250;
const MAX_EXPIRY_SECONDS = 30 * 24 * 3600;

/**
 * Every method rejects with a `MemcachedError`; its `code` says why. Calls made at the same time to one server
 * are sent in the order in which they were made. Connections are made when they are first needed.
 */
export class MemcachedClient {
  readonly #servers: readonly ServerClient[];

  constructor({ servers, maxInFlightPerServer: maxInFlight, ...shared }: MemcachedClientOptions) {
    if (servers.length === 0) throw new RangeError('a memcached client needs a server');
    this.#servers = servers.map(server => new ServerClient({ server, maxInFlight, ...shared }));
  }

  /** `host:port` of each server, in order. */
  get servers(): readonly string[] {
    return this.#servers.map(({ name }) => name);
  }

  /** The index of the server on which `key` lies. */
  serverOf(key: string): number {
    return Utils.hashCode(key) % this.#servers.length;
  }

  /**
   * Resolves with the value that was stored under `key`, or `undefined` when there is none. `CORRUPT` when the
   * item is not one that this key was given, which is found out twice, on two connections, before it is said.
   * @param server index of the server to ask, when it is not the one on which the key lies
   */
  async get(key: string, server?: number): Promise<Buffer | undefined> {
    const at = this.#at(key, server);
    for (const attempt of ['first', 'last'] as const) {
      const item = await at.call<Buffer | null>((client, done) => client.get(key, done), {
        repeatable: true,
      });
      if (item === null) return undefined;
      const value = openItem(key, item);
      if (value !== undefined) return value;
      if (attempt === 'first') at.replaceConnection(new Error('a value with a wrong checksum came'));
    }
    throw new MemcachedError('CORRUPT', `memcached ${at.name}: the item "${key}" is damaged`);
  }

  /**
   * Stores the value; whatever was there is replaced. It is in the server's memory when this resolves.
   * Resolves with whether it was sent twice: then the server may carry it out once more, up to `LATE_MS` later,
   * with what was sent on the connection that broke.
   */
  async set(
    key: string,
    value: ItemValue,
    { expiresInSeconds = 0 }: ItemOptions = {},
    server?: number,
  ): Promise<{ readonly sentTwice: boolean }> {
    const [header, ...pieces] = sealItem(key, value);
    const options = { expires: expiry(expiresInSeconds) };
    let attempts = 0;
    const set: Command<boolean | null> = (client, done, to) => {
      attempts += 1;
      to.withRest(pieces, () => client.set(key, header, options, done));
    };
    await this.#at(key, server).call(set, { repeatable: true });
    return { sentTwice: attempts > 1 };
  }

  /**
   * Stores the value if the key has none; resolves with whether it did. It is never tried again: after
   * `UNAVAILABLE` the value may be there.
   */
  async add(
    key: string,
    value: ItemValue,
    { expiresInSeconds = 0 }: ItemOptions = {},
    server?: number,
  ): Promise<boolean> {
    const [header, ...pieces] = sealItem(key, value);
    const options = { expires: expiry(expiresInSeconds) };
    const added = await this.#at(key, server).call<boolean | null>(
      (client, done, to) => to.withRest(pieces, () => client.add(key, header, options, done)),
      { repeatable: false },
    );
    return added === true;
  }

  /**
   * Stores the value if the key has one; resolves with whether it has. A server without memory keeps the old
   * value then, which `set` would lose.
   */
  async replace(
    key: string,
    value: ItemValue,
    { expiresInSeconds = 0 }: ItemOptions = {},
    server?: number,
  ): Promise<boolean> {
    const [header, ...pieces] = sealItem(key, value);
    const options = { expires: expiry(expiresInSeconds) };
    const replaced = await this.#at(key, server).call<boolean | null>(
      (client, done, to) => to.withRest(pieces, () => client.replace(key, header, options, done)),
      { repeatable: true },
    );
    return replaced === true;
  }

  /**
   * Resolves with whether there was an item. When the connection broke on the way and the second attempt found none,
   * the first may have deleted it: that is `true` as well.
   */
  async delete(key: string, server?: number): Promise<boolean> {
    let attempts = 0;
    const remove: Command<boolean | null> = (client, done) => {
      attempts += 1;
      client.delete(key, done);
    };
    const deleted = await this.#at(key, server).call(remove, { repeatable: true });
    return deleted === true || attempts > 1;
  }

  /** Sets when the item expires, 0 for never; resolves with whether there is one. */
  async touch(key: string, expiresInSeconds: number, server?: number): Promise<boolean> {
    const seconds = expiry(expiresInSeconds);
    const touched = await this.#at(key, server).call<boolean | null>(
      (client, done) => client.touch(key, seconds, done),
      { repeatable: true },
    );
    return touched === true;
  }

  /** What each server holds and may hold, in order. */
  usage(): Promise<ServerUsage[]> {
    return Promise.all(
      this.#servers.map(async server => {
        const stats = await server.call<Record<string, string> | null>(
          (client, done) => client.stats((err, _server, found) => done(err, found)),
          { repeatable: true },
        );
        return {
          server: server.name,
          usedBytes: Number(stats?.bytes),
          limitBytes: Number(stats?.limit_maxbytes),
        };
      }),
    );
  }

  /** Closes all connections at once; what is outstanding rejects, and every later call with `CLOSED`. May be called again. */
  close(): void {
    for (const server of this.#servers) server.close();
  }

  #at(key: string, server = this.serverOf(key)): ServerClient {
    const bytes = Buffer.byteLength(key);
    if (bytes === 0 || bytes > MAX_KEY_BYTES)
      throw new RangeError(`a key has 1 to ${MAX_KEY_BYTES} bytes, not ${bytes}`);
    const found = this.#servers[server];
    if (found === undefined) throw new RangeError(`there is no server ${server}`);
    return found;
  }
}

function expiry(seconds: number): number {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_EXPIRY_SECONDS) {
    throw new RangeError(`an item expires in 0 to ${MAX_EXPIRY_SECONDS} seconds, not ${seconds}`);
  }
  return seconds;
}
