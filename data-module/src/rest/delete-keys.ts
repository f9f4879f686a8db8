/** Deletes many blobs with one request, `POST /DataFile?delete`, whose body lists their keys: one a line, as `?keys` tells them. */
import { CatalogueError, toCatalogueError } from '@zenko-modules/common/errors';
import type { CompleteStore } from '../stores/store-layer.js';

const MAX_KEYS = 1000;
/** Room for keys of other stores, which may be longer than ours. */
export const MAX_LIST_BYTES = MAX_KEYS * 129;
/** Stores put deletions that come at once into one batch. */
const DELETES_AT_ONCE = 64;

/** @throws CatalogueError `InvalidInput` when it is no list of keys; then nothing is deleted. */
export function parseKeys(body: Buffer): string[] {
  const lines = body.toString('latin1').replace(/\n$/, '').split('\n');
  if (lines.length > MAX_KEYS)
    throw new CatalogueError('InvalidInput', `a list must not have more than ${MAX_KEYS} keys`);
  if (!lines.every(line => /^[0-9a-f]+$/.test(line)))
    throw new CatalogueError('InvalidInput', 'each line must be a key, made of 0 to 9 and a to f');
  return [...new Set(lines)];
}

/**
 * Resolves when there is no blob of any of these keys any more. Rejects with the first failure when all that were begun
 * have ended: some blobs may be there still, and the same call may be made again.
 */
export async function deleteKeys(
  store: Pick<CompleteStore, 'delete'>,
  keys: readonly string[],
): Promise<void> {
  let failure: CatalogueError | undefined;
  const waiting = keys.values();
  const worker = async (): Promise<void> => {
    for (const key of waiting) {
      // The others would fail as well, and the client waits.
      if (failure?.retriable) return;
      try {
        await store.delete(key);
      } catch (err) {
        const error = toCatalogueError(err);
        if (error.type !== 'ObjNotFound') failure ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(DELETES_AT_ONCE, keys.length) }, worker));
  if (failure !== undefined) throw failure;
}
