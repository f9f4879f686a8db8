/** Keys of versions: `<key>\0<versionId>`, and `<key>\0` for the null version. Keys hold no NUL themselves. */
import type { KeyRange } from '../store/key-space.js';

const SEPARATOR = '\0';

export function versionKey(key: string, versionId: string): string {
  return key + SEPARATOR + versionId;
}

export function nullKey(key: string): string {
  return key + SEPARATOR;
}

/** The null version's key of `key`, then those of its versions, the newest first. */
export function versionRange(key: string): KeyRange {
  return { gte: nullKey(key), lt: `${key}\u0001` };
}
