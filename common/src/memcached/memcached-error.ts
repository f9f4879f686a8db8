/** Why a memcached call failed, by name. */

export type MemcachedErrorCode =
  /** The server cannot be reached, did not answer in time, or the connection broke. The call may or may not have been carried out. */
  | 'UNAVAILABLE'
  /** The server refuses the user and password, or asks for some where none are set. */
  | 'UNAUTHORIZED'
  /** The server has no memory left and does not evict (`-M`). Nothing was stored; an item of this key that was there is gone. */
  | 'OUT_OF_MEMORY'
  /** The item is larger than the server takes (`-I`). Nothing was stored; an item of this key that was there is gone. */
  | 'TOO_LARGE'
  /** What is stored under the key is not what was stored by `set` or `add`. */
  | 'CORRUPT'
  /** The client was closed. */
  | 'CLOSED';

export class MemcachedError extends Error {
  readonly code: MemcachedErrorCode;

  constructor(code: MemcachedErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MemcachedError';
    this.code = code;
  }
}
