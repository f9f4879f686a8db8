import { DeadlineError } from '@zenko-modules/common/deadline';
import { CatalogueError, messageOf, toCatalogueError } from '@zenko-modules/common/errors';
import { isNetworkError } from '@zenko-modules/common/network/network-errors';
import { MongoError, MongoServerError, MongoWriteConcernError } from 'mongodb';

/** Credentials that are wrong or not enough. */
const REFUSED: ReadonlySet<unknown> = new Set([13, 18, 8000]);
/** OutOfDiskSpace, FileStreamFailed. */
const FULL: ReadonlySet<unknown> = new Set([14_031, 39]);
/** What servers say for which that code is not enough: Atlas has one for everything, and what the system says has none. */
const SAYS_FULL = /space quota|disk space|no space left/i;
const DUPLICATE_KEY = 11_000;

/** The catalogue's name for what went wrong with MongoDB, the error itself being the cause. */
export function nameMongoError(err: unknown): CatalogueError {
  const unavailable = (message: string): CatalogueError =>
    new CatalogueError('ServiceUnavailable', message, { cause: err });
  if (err instanceof DeadlineError) return unavailable('MongoDB does not answer in time');
  // The driver hands on what its socket said, of a connection that ends while a command is written to it.
  if (isNetworkError(err)) return unavailable('MongoDB cannot be reached');
  if (!(err instanceof MongoError)) return toCatalogueError(err);
  if (!(err instanceof MongoServerError)) return unavailable('MongoDB cannot be reached');
  if (FULL.has(err.code) || SAYS_FULL.test(err.message)) return unavailable('MongoDB is full');
  if (err instanceof MongoWriteConcernError) return unavailable('MongoDB has not confirmed a write in time');
  if (REFUSED.has(err.code)) return unavailable('MongoDB refuses the user of MONGODB_URL');
  if (err.code === DUPLICATE_KEY)
    return new CatalogueError('InternalError', 'a key is taken', { cause: err });
  return unavailable(`MongoDB cannot serve at the moment: ${messageOf(err)}`);
}
