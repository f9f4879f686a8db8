/** Durable steps on files, and their errors in the words of a LevelDOWN. */
import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@zenko-modules/common/errors';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';

/** What a file that is being written is called until it is complete. */
export const TEMPORARY = '.tmp';
/** A long write is synced at these steps, so that other files' syncs do not wait for all of it. */
const SYNC_BYTES = 8 * 2 ** 20;

/**
 * Leaves either the old file or the new one, whole, whenever this process or the machine stops; durable when
 * resolved. Resolves with the bytes written; rejects with the old one in place when `signal` is aborted.
 */
export async function replaceFile(
  file: string,
  text: AsyncIterable<string> | Iterable<string>,
  signal?: AbortSignal,
): Promise<number> {
  const temporary = file + TEMPORARY;
  return orUnavailable(`${file} cannot be written`, async () => {
    try {
      const handle = await open(temporary, 'w');
      let bytes = 0;
      let synced = 0;
      try {
        for await (const piece of text) {
          signal?.throwIfAborted();
          await handle.writeFile(piece);
          bytes += Buffer.byteLength(piece);
          if (bytes - synced < SYNC_BYTES) continue;
          await handle.datasync();
          synced = bytes;
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
      await syncFolder(path.dirname(file));
      return bytes;
    } catch (err) {
      await rm(temporary, { force: true });
      throw err;
    }
  });
}

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

export async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (err) {
    if (isMissing(err)) return false;
    throw err;
  }
}
