/**
 * Guards against a changed list of servers. memjs places a key by its hash modulo the number of servers, so with
 * another number or order blobs are looked for where they are not. The list is kept in the module's folder and on
 * every server: a container may lose the one, a restart of memcached the other.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { StartError } from '@zenko-modules/common/start-error';
import { SERVER_LIST_KEY } from './item-keys.js';

export interface ServerListOptions {
  readonly client: MemcachedClient;
  readonly folder: string;
  readonly allowReshard: boolean;
  readonly log: Logger;
}

export class ServerList {
  readonly #client: MemcachedClient;
  readonly #file: string;
  readonly #list: string;
  readonly #allowReshard: boolean;
  readonly #log: Logger;
  /** By server: whether it has been seen to hold our list. */
  readonly #agreed: (Promise<void> | undefined)[] = [];

  constructor({ client, folder, allowReshard, log }: ServerListOptions) {
    this.#client = client;
    this.#file = path.join(folder, 'memcached-servers');
    this.#list = client.servers.join(',');
    this.#allowReshard = allowReshard;
    this.#log = log;
  }

  /**
   * Compares with the list in the folder and with that of every server that can be reached.
   * @throws StartError when one differs and resharding is not allowed.
   */
  async open(): Promise<void> {
    const kept = await this.#readFile();
    if (kept !== undefined && kept !== this.#list) this.#onDifference(kept, `the file ${this.#file}`);
    const found = await Promise.allSettled(this.#client.servers.map((_, server) => this.agree(server)));
    for (const result of found) {
      if (result.status === 'fulfilled') continue;
      const { cause } = result.reason as Error;
      if (cause instanceof StartError) throw cause;
      this.#log.warn({ err: result.reason as unknown }, 'a memcached server cannot be used yet');
    }
    if (kept !== this.#list) await this.#writeFile();
  }

  /** Resolves at once when `server` is known to hold our list; finds out, or gives it the list, when it is not. */
  agree(server: number): Promise<void> {
    const agreed = (this.#agreed[server] ??= this.check(server));
    agreed.catch(() => {
      this.#agreed[server] = undefined;
    });
    return agreed;
  }

  /** Asks `server` for its list, and gives it ours when it has none, as after its restart. */
  async check(server: number): Promise<void> {
    const ours = Buffer.from(this.#list);
    let found = await this.#client.get(SERVER_LIST_KEY, server);
    if (found === undefined && !(await this.#client.add(SERVER_LIST_KEY, ours, {}, server))) {
      found = await this.#client.get(SERVER_LIST_KEY, server);
    }
    if (found === undefined || found.equals(ours)) return;
    try {
      this.#onDifference(found.toString(), `memcached ${this.#client.servers[server] ?? ''}`);
    } catch (err) {
      throw new CatalogueError(
        'ServiceUnavailable',
        'MEMCACHED_HOSTS is not the list that blobs were written with',
        {
          cause: err,
        },
      );
    }
    await this.#client.set(SERVER_LIST_KEY, ours, {}, server);
  }

  #onDifference(kept: string, where: string): void {
    if (!this.#allowReshard) {
      throw new StartError(
        `MEMCACHED_HOSTS: "${this.#list}" is not "${kept}", with which blobs were written (says ${where}): ` +
          'most of them would not be found; restore the list, or set MEMCACHED_ALLOW_RESHARD=true and lose them',
      );
    }
    this.#log.warn({ before: kept, now: this.#list, where }, 'the list of memcached servers has changed');
  }

  async #readFile(): Promise<string | undefined> {
    try {
      return (await readFile(this.#file, 'utf8')).trim();
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new StartError(`cannot read ${this.#file} (${(err as NodeJS.ErrnoException).code ?? ''})`, {
        cause: err,
      });
    }
  }

  async #writeFile(): Promise<void> {
    const temporary = `${this.#file}.new`;
    try {
      await writeFile(temporary, `${this.#list}\n`, { flush: true });
      await rename(temporary, this.#file);
    } catch (err) {
      throw new StartError(`cannot write ${this.#file} (${(err as NodeJS.ErrnoException).code ?? ''})`, {
        cause: err,
      });
    }
  }
}
