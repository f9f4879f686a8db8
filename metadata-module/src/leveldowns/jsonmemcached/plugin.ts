/** `METADATA_BACKEND=jsonmemcached`. */
import path from 'node:path';
import { requiredServers } from '@zenko-modules/common/memcached/required-servers';
import { LevelError, type LevelDownPlugin } from '../plugin.js';
import { JsonMemcached } from './json-memcached.js';
import { JSONMEMCACHED_SETTINGS } from './jsonmemcached-settings.js';

/** Keeps its marker in the folder `jsonmemcached` of the metadata module. */
export const jsonmemcachedPlugin = {
  name: 'jsonmemcached',
  settings: JSONMEMCACHED_SETTINGS,

  create({ settings, folder, log }) {
    const servers = requiredServers(settings, 'METADATA_BACKEND=jsonmemcached');
    return new JsonMemcached({
      servers,
      user: settings.MEMCACHED_USER,
      password: settings.MEMCACHED_PASSWORD,
      folder: path.join(folder, 'jsonmemcached'),
      name: settings.JSONMEMCACHED_NAME,
      adopt: settings.JSONMEMCACHED_ADOPT,
      deadlineMs: settings.JSONMEMCACHED_DEADLINE_MS,
      journalMinBytes: settings.JSONDOWN_JOURNAL_BYTES,
      log,
    });
  },

  explain: err => (err instanceof LevelError ? `METADATA_BACKEND=jsonmemcached: ${err.message}` : undefined),
} satisfies LevelDownPlugin<typeof JSONMEMCACHED_SETTINGS>;
