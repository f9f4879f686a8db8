/** One page of a listing: objects, and the common prefixes that stand for all objects below them. */
import type { KeyRange } from '../metadata-client.js';
import { CurrentObjects, type ListedObject } from './current-objects.js';
import { afterPrefix, isAfter } from './key-bounds.js';
import type { ReadRange } from './skipping-reader.js';

export interface PageRequest {
  readonly prefix: string;
  /** Empty: none, every object is listed by itself. */
  readonly delimiter: string;
  /** The page begins after this key or common prefix; empty: at the beginning. */
  readonly after: string;
  /** Objects and common prefixes together. */
  readonly maxKeys: number;
}

export interface Page<T> {
  /** What was made of the objects, in order: for as many together as came together. */
  readonly parts: readonly T[];
  readonly objects: number;
  readonly commonPrefixes: readonly string[];
  /** The last that the page holds, when more follow: `after` of the next page. */
  readonly next: string | undefined;
}

/** @param take makes of objects what the page holds of them, while others are on their way from the module */
export async function listPage<T>(
  read: ReadRange,
  request: PageRequest,
  take: (objects: readonly ListedObject[]) => T,
): Promise<Page<T>> {
  const { prefix, delimiter, maxKeys } = request;
  const range = rangeOf(request);
  if (!range || maxKeys === 0) return { parts: [], objects: 0, commonPrefixes: [], next: undefined };

  const parts: T[] = [];
  let atHand: ListedObject[] = [];
  const takeAll = (): void => {
    if (atHand.length === 0) return;
    parts.push(take(atHand));
    atHand = [];
  };
  let objects = 0;
  const commonPrefixes: string[] = [];
  const found = new CurrentObjects(read, range);
  let last = '';
  let hasMore = false;
  try {
    for (;;) {
      const next = found.next();
      if (next instanceof Promise) takeAll();
      const object = next instanceof Promise ? await next : next;
      if (!object) break;
      hasMore = objects + commonPrefixes.length === maxKeys;
      if (hasMore) break;
      const common = commonPrefixOf(object.key, prefix, delimiter);
      if (common === undefined) {
        atHand.push(object);
        objects += 1;
        last = object.key;
      } else {
        commonPrefixes.push(common);
        last = common;
        found.skipPrefix(common);
      }
    }
  } finally {
    await found.close();
  }
  takeAll();
  return { parts, objects, commonPrefixes, next: hasMore ? last : undefined };
}

/** What of `key`, up to the first delimiter behind `prefix`, stands for it in a listing. */
function commonPrefixOf(key: string, prefix: string, delimiter: string): string | undefined {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The keys that can be on the page; `undefined`: none can. */
function rangeOf({ prefix, delimiter, after }: PageRequest): KeyRange | undefined {
  const lt = prefix === '' ? undefined : afterPrefix(prefix);
  const upper = lt === undefined ? {} : { lt };
  if (after === '' || (prefix !== '' && !isAfter(after, prefix) && after !== prefix)) {
    return prefix === '' ? {} : { gte: prefix, ...upper };
  }
  if (lt !== undefined && !isAfter(lt, after)) return undefined;
  // Like CloudServer, a page that begins within a common prefix begins behind it.
  const common = after.startsWith(prefix) ? commonPrefixOf(after, prefix, delimiter) : undefined;
  if (common === undefined) return { gt: after, ...upper };
  const gte = afterPrefix(common);
  return gte === undefined || (lt !== undefined && !isAfter(lt, gte)) ? undefined : { gte, ...upper };
}
