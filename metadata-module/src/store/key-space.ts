/**
 * Databases as key ranges of one ordered store, laid out as CloudServer's own daemon lays them out:
 * key `k` of database `[a, b]` is stored as `!a#b!k`, of the root database `[]` as `!!k`.
 *
 * Never change this on filled storage. Names hold neither `!` nor `#`, so that no database reaches into another.
 */
import { boundBytes } from './utf8-bound.js';

/** A range of keys; a bound that is left out is open. `limit` counts entries, from the end that reading starts at. */
export interface KeyRange {
  readonly gt?: string | undefined;
  readonly gte?: string | undefined;
  readonly lt?: string | undefined;
  readonly lte?: string | undefined;
  readonly limit?: number | undefined;
  readonly reverse?: boolean | undefined;
}

/** A range over the store's own keys, from `gt` or `gte` up to `lt` or `lte`. */
export interface ByteRange {
  readonly gt?: Buffer;
  readonly gte?: Buffer;
  readonly lt?: Buffer;
  readonly lte?: Buffer;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** A database: the key range below one prefix. */
export class Database {
  /** As the record log names it; nested names are joined with `#`. */
  readonly name: string;
  readonly #prefix: string;
  readonly #start: Buffer;
  readonly #end: Buffer;

  /** `path` has been checked: no name in it is empty or holds `!` or `#`. */
  constructor(path: readonly string[]) {
    this.name = path.join('#');
    this.#prefix = `!${this.name}!`;
    this.#start = Buffer.from(this.#prefix);
    this.#end = afterPrefix(this.#start);
  }

  /** The store's key for `key`. */
  keyOf(key: string): string {
    return this.#prefix + key;
  }

  /** The reverse of `keyOf`. */
  nameOf(storeKey: string): string {
    return storeKey.slice(this.#prefix.length);
  }

  rangeOf(range: KeyRange): ByteRange {
    return byteRange(range, this.#start, this.#end);
  }
}

/** A range over the keys of all databases, as they are stored. */
export function rawRange(range: KeyRange): ByteRange {
  return byteRange(range, Buffer.alloc(0), undefined);
}

/** The first bytes after all that begin with `prefix`, whose last byte is not the highest there is. */
function afterPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1);
  return end;
}

/**
 * The keys that begin with `prefix` and lie within `range`, in the order of their bytes: where both bounds of one
 * side are given, the narrower one counts. `end` is the first key after the prefix, if there can be one.
 */
function byteRange(range: KeyRange, prefix: Buffer, end: Buffer | undefined): ByteRange {
  const bound = (key: string | undefined): Buffer | undefined =>
    key === undefined ? undefined : Buffer.concat([prefix, boundBytes(key)]);
  const gt = bound(range.gt);
  const gte = bound(range.gte) ?? prefix;
  const lte = bound(range.lte);
  const lt = bound(range.lt) ?? (lte === undefined ? end : undefined);
  return {
    ...(gt !== undefined && gt.compare(gte) >= 0 ? { gt } : { gte }),
    ...(lte === undefined || (lt !== undefined && lt.compare(lte) <= 0) ? lt && { lt } : { lte }),
    ...(range.limit !== undefined && { limit: range.limit }),
    ...(range.reverse === true && { reverse: true }),
  };
}
