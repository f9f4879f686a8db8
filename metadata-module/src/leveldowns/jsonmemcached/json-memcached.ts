/**
 * jsonmemcached: a jsondown whose text lies in memcached, for metadata that may die with the cache. While it
 * is open everything is in memory, and what memcached lost is written to it again; when memcached and this
 * process end both, what was in it is gone, and the next start says so by name.
 */
import { silentLogger, type Logger } from '@zenko-modules/common/logger';
import { MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import type { HostAndPort } from '@zenko-modules/common/settings';
import { JsonDown } from '../jsondown/json-down.js';
import { MemcachedStorage } from './memcached-storage.js';

/** Items on their way to one server at once. */
const MAX_IN_FLIGHT = 32;

export interface JsonMemcachedOptions {
  /** In the order that they always have: it decides where an item lies. */
  readonly servers: readonly HostAndPort[];
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** A folder of its own on this machine, made if missing, that says whether there is a store. */
  readonly folder: string;
  /** What all keys begin with, up to 100 characters. */
  readonly name?: string;
  /** Open a store that the folder does not know of. */
  readonly adopt?: boolean;
  /** How long one attempt to reach a server may take, in milliseconds. */
  readonly deadlineMs?: number;
  /** The journal's size in bytes from which a new snapshot is written, once it is larger than the last one too. */
  readonly journalMinBytes?: number;
  readonly log?: Logger;
}

export class JsonMemcached extends JsonDown {
  constructor(options: JsonMemcachedOptions) {
    const { folder, name = 'metadata', adopt = false, deadlineMs = 1000, log = silentLogger() } = options;
    const { servers, user, password, journalMinBytes } = options;
    const connect = (): MemcachedClient =>
      new MemcachedClient({ servers, user, password, deadlineMs, maxInFlightPerServer: MAX_IN_FLIGHT, log });
    super(new MemcachedStorage({ connect, folder, name, adopt, log }), {
      log,
      ...(journalMinBytes !== undefined && { journalMinBytes }),
    });
  }
}
