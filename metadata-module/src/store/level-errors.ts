/** What a LevelDOWN's errors mean to a client. */
import { CatalogueError, messageOf, type ErrorType } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, type LevelErrorCode } from '../leveldowns/plugin.js';

const ANSWERS: Readonly<Record<LevelErrorCode, ErrorType>> = {
  [LEVEL_ERRORS.unavailable]: 'ServiceUnavailable',
  [LEVEL_ERRORS.tooLarge]: 'EntityTooLarge',
  [LEVEL_ERRORS.fenced]: 'ServiceUnavailable',
  [LEVEL_ERRORS.corrupt]: 'InternalError',
  [LEVEL_ERRORS.iteratorEnded]: 'ServiceUnavailable',
};

/** The code of a `LevelError`, also of one that another copy of the class made; `undefined` for other errors. */
export function levelErrorCode(err: unknown): LevelErrorCode | undefined {
  if (!(err instanceof Error) || !('code' in err)) return undefined;
  return Object.values(LEVEL_ERRORS).find(code => code === err.code);
}

/** The error of the catalogue that a client gets, with the LevelDOWN's as its cause. */
export function fromLevelError(err: unknown): CatalogueError {
  if (err instanceof CatalogueError) return err;
  const code = levelErrorCode(err);
  const type = code === undefined ? 'InternalError' : ANSWERS[code];
  return new CatalogueError(type, type === 'InternalError' ? undefined : messageOf(err), { cause: err });
}

/** The LevelDOWN's own error below those that were laid around it. */
export function rootOf(err: unknown): unknown {
  return err instanceof CatalogueError && err.cause !== undefined ? rootOf(err.cause) : err;
}
