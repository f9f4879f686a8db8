/** The keys of entries, taken apart. */

export interface EntryKey {
  readonly key: string;
  /** As calls name it: `null` for the null version; `undefined` for the master. */
  readonly versionId: string | undefined;
}

export function parseEntryKey(stored: string): EntryKey {
  const end = stored.indexOf('\0');
  if (end < 0) return { key: stored, versionId: undefined };
  const versionId = stored.slice(end + 1);
  return { key: stored.slice(0, end), versionId: versionId === '' ? 'null' : versionId };
}

/** For messages. */
export function nameOf({ key, versionId }: EntryKey): string {
  const name = JSON.stringify(key);
  if (versionId === undefined) return name;
  return versionId === 'null' ? `${name}, null version` : `${name}, version ${JSON.stringify(versionId)}`;
}

/** The range of all entries of one key. */
export function entriesOfKey(key: string): { readonly gte: string; readonly lt: string } {
  return { gte: key, lt: `${key}\u0001` };
}

/** What is said of a key as it is stored that belongs to no database: a damaged one, in all that was seen. */
export const strayKey = (rawKey: string): string =>
  `the key ${JSON.stringify(rawKey)} belongs to no database`;
