/** Errors of the file system in the words of a LevelDOWN. */
import { messageOf } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';

/** Runs a step on `what`; its failure becomes an `unavailable` that names `what` and the system's reason. */
export async function orUnavailable<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (err) {
    if (err instanceof LevelError) throw err;
    throw new LevelError(LEVEL_ERRORS.unavailable, `${what}: ${messageOf(err)}`, { cause: err });
  }
}

export function isMissing(err: unknown): boolean {
  return err instanceof Error && 'code' in err && err.code === 'ENOENT';
}
