/** The blobs that a stored value names. */

/** Keys that a data module makes. */
export const BLOB_KEY = /^[0-9a-f]{40}$/;

/** One place of a value where a blob should be. */
export interface Location {
  readonly key: string;
  /** In bytes; `undefined` where the value does not say. */
  readonly size: number | undefined;
  /** MD5 of the part of the object that it belongs to, with the part's number: `1:<md5>`. */
  readonly etag: string | undefined;
  readonly isEncrypted: boolean;
}

/** Every text in the value that may be the key of a blob: more than are meant, never fewer. */
export function keysNamedIn(value: string): Set<string> {
  return new Set(value.match(/(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])/g) ?? []);
}

/** The blobs of an object, or of a part of an upload, that lie in the data module; none when the value is not JSON. */
export function locationsIn(value: string): Location[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return [];
  }
  const { location, partLocations, ...rest } = asObject(parsed);
  const listed = [location, partLocations].flatMap(list => (Array.isArray(list) ? (list as unknown[]) : []));
  const md5 = rest['content-md5'];
  return listed.flatMap(item => {
    const { key, size, dataStoreType = 'file', dataStoreETag, cryptoScheme } = asObject(item);
    if (typeof key !== 'string' || !BLOB_KEY.test(key) || dataStoreType !== 'file') return [];
    const whole = typeof md5 === 'string' && /^[0-9a-f]{32}$/.test(md5) ? `1:${md5}` : undefined;
    const isWhole = partLocations !== undefined || listed.length === 1;
    return {
      key,
      size: typeof size === 'number' ? size : undefined,
      etag: typeof dataStoreETag === 'string' ? dataStoreETag : isWhole ? whole : undefined,
      isEncrypted: cryptoScheme !== undefined,
    };
  });
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
