/** What the driver's errors mean: worth trying again, a number that is taken, or something else. */
import {
  MongoBulkWriteError,
  MongoClientClosedError,
  MongoError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
} from 'mongodb';
import { DeadlineError } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import { isNetworkError } from '@zenko-modules/common/network/network-errors';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';

const DUPLICATE_KEY = 11000;
/** Credentials that are wrong or not enough: no time mends them. */
const REFUSED_CODES: ReadonlySet<number> = new Set([13, 18, 8000]);
/** Codes of servers that are away, changing roles, too slow or full just now. */
const TRANSIENT_CODES: ReadonlySet<number> = new Set([
  6, // HostUnreachable
  7, // HostNotFound
  43, // CursorNotFound
  50, // MaxTimeMSExpired
  64, // WriteConcernTimeout
  79, // UnknownReplWriteConcern
  89, // NetworkTimeout
  91, // ShutdownInProgress
  100, // UnsatisfiableWriteConcern
  112, // WriteConflict
  133, // FailedToSatisfyReadPreference
  134, // ReadConcernMajorityNotAvailableYet
  175, // QueryPlanKilled, as by a rename of the collection
  189, // PrimarySteppedDown
  237, // CursorKilled
  262, // ExceededTimeLimit
  371, // UserWritesBlocked, as while disks are full
  9001, // SocketException
  10058, // LegacyNotPrimary
  10107, // NotWritablePrimary
  11600, // InterruptedAtShutdown
  11602, // InterruptedDueToReplStateChange
  13388, // StaleConfig
  13435, // NotPrimaryNoSecondaryOk
  13436, // NotPrimaryOrSecondary
  14031, // OutOfDiskSpace
]);

/** True when the same command may succeed later. Whether it was carried out is then open. */
export function isTransient(err: unknown): boolean {
  if (
    err instanceof MongoNetworkError ||
    err instanceof MongoServerSelectionError ||
    err instanceof MongoWriteConcernError ||
    err instanceof MongoNotConnectedError ||
    err instanceof MongoTopologyClosedError ||
    err instanceof MongoClientClosedError ||
    err instanceof DeadlineError ||
    // The driver hands on what its socket said, of a connection that ends while a command is written to it.
    isNetworkError(err)
  ) {
    return true;
  }
  if (err instanceof LevelError) return err.code === LEVEL_ERRORS.unavailable;
  if (!(err instanceof MongoServerError)) return false;
  return TRANSIENT_CODES.has(Number(err.code)) || err.hasErrorLabel('RetryableWriteError');
}

/** True when the write was refused because the `_id` is there already. */
export function isDuplicateKey(err: unknown): boolean {
  return (
    err instanceof MongoServerError && !(err instanceof MongoBulkWriteError) && err.code === DUPLICATE_KEY
  );
}

export function unavailable(message: string, cause?: unknown): LevelError {
  return new LevelError(LEVEL_ERRORS.unavailable, message, { cause });
}

export function fenced(message: string): LevelError {
  return new LevelError(LEVEL_ERRORS.fenced, message);
}

/** While this process was opening the store, another one did the same after it. */
export function overtaken(): LevelError {
  return fenced('another process has taken the store over while this one was opening it');
}

export function isFenced(err: unknown): boolean {
  return err instanceof LevelError && err.code === LEVEL_ERRORS.fenced;
}

export function corrupt(message: string): LevelError {
  return new LevelError(LEVEL_ERRORS.corrupt, message);
}

/** The error that a caller gets, with the driver's as its cause. */
export function toLevelError(err: unknown): Error {
  if (err instanceof LevelError) return err;
  if (isTransient(err)) return unavailable(`MongoDB cannot be reached: ${messageOf(err)}`, err);
  if (err instanceof MongoServerError && REFUSED_CODES.has(Number(err.code))) {
    return unavailable(`MongoDB refuses the user of MONGODB_URL: ${messageOf(err)}`, err);
  }
  if (err instanceof MongoError) return new Error(`MongoDB failed: ${messageOf(err)}`, { cause: err });
  return err instanceof Error ? err : new Error(String(err));
}
