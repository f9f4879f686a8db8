import { flag, integer, parsed, setting } from '@zenko-modules/common/settings';
import { MEMCACHED_SETTINGS } from '@zenko-modules/common/shared-settings';
import { JSONDOWN_SETTINGS } from '../jsondown/jsondown-settings.js';

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
