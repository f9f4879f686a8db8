/** What listings show of a value, or decide by. The metadata module sends no more of it, where it can. */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { StoredItem } from '../metadata-client.js';
import type { ObjectValue } from '../object-value.js';

const OWNER = ['owner-id', 'owner-display-name'] as const;
const OTHERS = [
  'last-modified',
  'content-md5',
  'content-length',
  'isDeleteMarker',
  'isPHD',
  'versionId',
  'isNull',
] as const;

/** The order is that in which `toListed` takes them. */
export const LISTED_MEMBERS = [...OTHERS, ...OWNER];
export const LISTED_WITHOUT_OWNER: readonly string[] = OTHERS;

export type ListedValue = Pick<ObjectValue, (typeof LISTED_MEMBERS)[number]>;

export interface ListedEntry {
  readonly key: string;
  /** A text is not parsed before it is needed. */
  readonly value: string | ListedValue;
}

/** The key, then what the value has of `LISTED_MEMBERS`; `null` is what it does not have. */
export type MembersItem = readonly [key: string, ...members: unknown[]];

export function toListed(item: MembersItem | StoredItem): ListedEntry {
  if (!isMembers(item)) return item;
  const [key, modified, md5, size, isDeleteMarker, isPHD, versionId, isNull, ownerId, ownerName] = item;
  const value = {
    'last-modified': modified ?? undefined,
    'content-md5': md5 ?? undefined,
    'content-length': size ?? undefined,
    isDeleteMarker: isDeleteMarker ?? undefined,
    isPHD: isPHD ?? undefined,
    versionId: versionId ?? undefined,
    isNull: isNull ?? undefined,
    'owner-id': ownerId ?? undefined,
    'owner-display-name': ownerName ?? undefined,
  };
  return { key, value: value as ListedValue };
}

function isMembers(item: MembersItem | StoredItem): item is MembersItem {
  return Array.isArray(item);
}

/** @throws CatalogueError InternalError for a value that is not JSON */
export function listedValue({ key, value }: ListedEntry): ListedValue {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as ListedValue;
  } catch (err) {
    throw new CatalogueError('InternalError', `the value of ${key} is not JSON`, { cause: err });
  }
}
