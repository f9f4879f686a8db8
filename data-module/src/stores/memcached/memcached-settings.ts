import { flag, integer, setting, type SettingsOf } from '@zenko-modules/common/settings';
import { MEMCACHED_SETTINGS } from '@zenko-modules/common/shared-settings';

/**
 * Chosen by measurement, the table is in docs/benchmarks.md. Smaller chunks cost more processor time per byte, larger
 * ones no less, while every transfer holds some of them in memory. Four items of this size fill a page of memcached's
 * memory (1 MiB, in size classes by its default growth factor); of 256 KiB, which is a little more, only three fit,
 * and a quarter of the memory is lost.
 */
const DEFAULT_CHUNK_BYTES = '252000';

/** The memcached store's settings, beside those that say where memcached is. */
export const MEMCACHED_STORE_SETTINGS = {
  ...MEMCACHED_SETTINGS,
  MEMCACHED_CHUNK_BYTES: setting(
    integer(1024, 16 * 1024 * 1024, 'bytes'),
    DEFAULT_CHUNK_BYTES,
    'bytes of a blob in one item; the server must take items of this size and a little more (`-I`, 1 MiB by default)',
  ),
  MEMCACHED_WINDOW: setting(
    integer(1, 64),
    '4',
    'chunks of one transfer that are on their way at once; each is held in memory',
  ),
  MEMCACHED_MAX_IN_FLIGHT: setting(
    integer(1, 1024),
    '32',
    'calls to one memcached server that are on their way at once, of all transfers together',
  ),
  MEMCACHED_TIMEOUT_MS: setting(
    integer(100, 60_000, 'milliseconds'),
    '3000',
    'time that memcached has for one answer; a call is tried twice at most',
  ),
  MEMCACHED_ALLOW_RESHARD: setting(
    flag,
    'false',
    'start although MEMCACHED_HOSTS is not the list that blobs were written with; blobs that are looked for on another server than theirs are lost',
  ),
} as const;

export type MemcachedStoreSettings = SettingsOf<typeof MEMCACHED_STORE_SETTINGS>;
