/** `METADATA_BACKEND=jsonmemcached`. */
import path from 'node:path';
import { requiredServers } from '@zenko-modules/common/memcached/required-servers';
import { flag, integer, parsed, setting } from '@zenko-modules/common/settings';
import { MEMCACHED_SETTINGS } from '@zenko-modules/common/shared-settings';
import { JSONDOWN_SETTINGS } from '../jsondown/plugin.js';
import { LevelError, type LevelDownPlugin } from '../plugin.js';
import { JsonMemcached } from './json-memcached.js';

const name = parsed('letters, digits, "-" and "_", 100 at most', value => {
  if (!/^[\w-]{1,100}$/.test(value)) throw new Error('it is part of every key');
  return value;
});

export const JSONMEMCACHED_SETTINGS = {
  ...MEMCACHED_SETTINGS,
  ...JSONDOWN_SETTINGS,
  JSONMEMCACHED_NAME: setting(name, 'metadata', 'what the keys in memcached begin with'),
  JSONMEMCACHED_ADOPT: setting(
    flag,
    'false',
    'open a store in memcached that the metadata folder does not know of, because that folder was lost',
  ),
  JSONMEMCACHED_DEADLINE_MS: setting(
    integer(10, 60_000, 'milliseconds'),
    '1000',
    'how long one attempt to reach memcached may take',
  ),
} as const;

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
