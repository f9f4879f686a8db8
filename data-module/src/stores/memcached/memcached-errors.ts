import { CatalogueError, type ErrorType, toCatalogueError } from '@zenko-modules/common/errors';
import { MemcachedError, type MemcachedErrorCode } from '@zenko-modules/common/memcached/memcached-error';

const NAMED: Readonly<Record<MemcachedErrorCode, readonly [ErrorType, string]>> = {
  UNAVAILABLE: ['ServiceUnavailable', 'memcached cannot be reached or does not answer'],
  UNAUTHORIZED: ['ServiceUnavailable', 'memcached refuses MEMCACHED_USER and MEMCACHED_PASSWORD'],
  OUT_OF_MEMORY: ['ServiceUnavailable', 'memcached has no memory left'],
  TOO_LARGE: [
    'ServiceUnavailable',
    'memcached takes no item of MEMCACHED_CHUNK_BYTES: its limit (-I) is lower',
  ],
  CORRUPT: ['InternalError', 'what is stored in memcached is damaged'],
  CLOSED: ['ServiceUnavailable', 'the store has been closed'],
};

/** The catalogue's name for what went wrong with memcached, the error itself being the cause. */
export function nameMemcachedError(err: unknown): CatalogueError {
  if (!(err instanceof MemcachedError)) return toCatalogueError(err);
  const [type, message] = NAMED[err.code];
  return new CatalogueError(type, message, { cause: err });
}
