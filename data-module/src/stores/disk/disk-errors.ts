import { CatalogueError, type ErrorType, toCatalogueError } from '@zenko-modules/common/errors';

const NAMED: Readonly<Record<string, readonly [ErrorType, string]>> = {
  ENOSPC: ['ServiceUnavailable', 'the disk is full'],
  EDQUOT: ['ServiceUnavailable', 'the disk quota is used up'],
  EROFS: ['ServiceUnavailable', 'the volume is read-only'],
  EFBIG: ['EntityTooLarge', 'the file system takes no file of this size'],
  EMFILE: ['SlowDown', 'too many files are open'],
  ENFILE: ['SlowDown', 'too many files are open'],
  ENOENT: ['ObjNotFound', 'there is no blob of this key'],
};

/** Whether there was no room for it: the disk does all else. */
export function lacksRoom(err: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((err as NodeJS.ErrnoException).code ?? '');
}

/** The catalogue's name for an error of the file system, which is kept as the cause. */
export function nameDiskError(err: unknown): CatalogueError {
  if (err instanceof CatalogueError) return err;
  const code = err instanceof Error && 'code' in err ? String(err.code) : '';
  if (code === '') return toCatalogueError(err);
  const [type, message] = NAMED[code] ?? ['InternalError', `the volume cannot be used (${code})`];
  return new CatalogueError(type, message, { cause: err });
}
