import { JsonMemcached, type JsonMemcachedOptions } from '../json-memcached.js';

/** For `crash-writer.js`. Journals are small, so that snapshots are taken all the time. */
export function open(options: JsonMemcachedOptions): JsonMemcached {
  return new JsonMemcached({ ...options, journalMinBytes: 4096 });
}
