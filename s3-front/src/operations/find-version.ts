/** A version of an object, by the id that a client gives. */
import type { BucketAttributes } from '../bucket-attributes.js';
import type { VersionOptions } from '../metadata-client.js';
import type { ObjectValue } from '../object-value.js';
import { decodeVersionId, NULL_VERSION } from '../version-id.js';
import type { Front, S3Request } from './operation.js';
import { existing } from './current-object.js';
import { BEFORE_VERSIONING } from './write-plan.js';

export interface FoundVersion {
  readonly value: ObjectValue;
  /** How a change of it names it. */
  readonly storedAs: VersionOptions;
}

/**
 * The version, a delete marker too; `undefined` when there is none.
 * @param current the current value of the key
 * @throws S3Error InvalidArgument for what is no version id
 */
export async function findVersion(
  front: Front,
  { reqUids }: Pick<S3Request, 'reqUids'>,
  { bucket, key, versionId }: { readonly bucket: string; readonly key: string; readonly versionId: string },
  current: ObjectValue | undefined,
): Promise<FoundVersion | undefined> {
  const get = async (id: string): Promise<FoundVersion | undefined> => {
    const options = { versionId: id, getDeleteMarker: true } as const;
    const value = await front.metadata.getObject(bucket, key, options, reqUids);
    return value && { value, storedAs: { versionId: id } };
  };
  const id = decodeVersionId(versionId);
  if (id !== NULL_VERSION) {
    const found = await get(id);
    return found?.value.isNull === true ? undefined : found;
  }
  if (!current) return get(NULL_VERSION);
  if (isNullVersion(current)) return { value: current, storedAs: currentAs(current) };
  return get(current.nullVersionId ?? NULL_VERSION);
}

const ALWAYS_NULL: readonly string[] = [NULL_VERSION, BEFORE_VERSIONING];

/** A null version under a key of its own. */
export interface KeptNull {
  /** The id of its key. */
  readonly versionId: string;
  readonly value: ObjectValue;
}

/**
 * The null versions under the keys of these ids, each followed by what it took the place of and what is there all the
 * same, because it could not be deleted: a null version names that by `nullVersionId`, which CloudServer reads of others alone.
 */
export async function findKeptNulls(
  { metadata }: Pick<Front, 'metadata'>,
  { bucket, reqUids }: Pick<S3Request, 'bucket' | 'reqUids'>,
  key: string,
  ids: readonly string[],
): Promise<readonly KeptNull[]> {
  const found: KeptNull[] = [];
  // A set is walked to what is added on the way.
  const wanted = new Set(ids);
  for (const versionId of wanted) {
    const value = await metadata.getObject(bucket, key, { versionId, deleteData: true }, reqUids);
    if (!value || (value.isNull !== true && !ALWAYS_NULL.includes(versionId))) continue;
    found.push({ versionId, value });
    if (value.isNull === true && value.nullVersionId !== undefined) wanted.add(value.nullVersionId);
  }
  return found;
}

/** How a change of the current value names it: one that has a copy under a key of its id is changed with that. */
export function currentAs({ versionId, isNull, isNull2 }: ObjectValue): VersionOptions {
  if (versionId === undefined) return {};
  return isNull === true && isNull2 === true ? { versionId, isNull } : { versionId };
}

export function isNullVersion({ isNull, versionId }: Pick<ObjectValue, 'isNull' | 'versionId'>): boolean {
  return isNull === true || versionId === undefined;
}

/** What a condition of a request is about: an object, not a marker. */
export function existingVersion(found: FoundVersion | undefined): ObjectValue | undefined {
  return existing(found?.value);
}

export type BucketVersioning = BucketAttributes['versioningConfiguration'];
