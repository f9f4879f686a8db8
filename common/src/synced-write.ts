import { constants } from 'node:fs';

/**
 * A flag for `open`: each write is on stable storage when its call ends, which is one call and one wait less. 0 where the
 * system has none; sync the file after writing then.
 */
export const SYNCED_BY_WRITE = process.platform === 'linux' ? constants.O_DSYNC : 0;
