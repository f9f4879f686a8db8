import type { HostAndPort, SettingsOf } from '../settings.js';
import { MEMCACHED_SETTINGS } from '../shared-settings.js';
import { StartError } from '../start-error.js';

/**
 * The servers, for what cannot do without.
 * @param because the setting that asks for them
 * @throws StartError when none is named, or half a login
 */
export function requiredServers(
  { MEMCACHED_HOSTS, MEMCACHED_USER, MEMCACHED_PASSWORD }: SettingsOf<typeof MEMCACHED_SETTINGS>,
  because: string,
): readonly HostAndPort[] {
  if (MEMCACHED_HOSTS === undefined)
    throw new StartError(
      `MEMCACHED_HOSTS: missing, and ${because} needs it: expected ${MEMCACHED_SETTINGS.MEMCACHED_HOSTS.accepts}`,
    );
  if ((MEMCACHED_USER === undefined) !== (MEMCACHED_PASSWORD === undefined))
    throw new StartError('MEMCACHED_USER and MEMCACHED_PASSWORD: only one is set: expected both or none');
  return MEMCACHED_HOSTS;
}
