/**
 * What it takes to put a new current version of a key, by the versioning of its bucket. The steps are those
 * of CloudServer in the form that all its releases read (null versions kept under version keys).
 */
import type { BucketAttributes } from '../bucket-attributes.js';
import type { PutOptions } from '../metadata-client.js';
import type { Location, ObjectValue } from '../object-value.js';

/** The version id of what was stored before its bucket had versioning; it sorts after every other. */
export const BEFORE_VERSIONING = '99999999999999999999RG001  ';

export interface WritePlan {
  /** The current value is to be kept as a version of its own first, with this id. */
  readonly keepNullAs?: string;
  /** The ids of the keys that null versions may be under which go: what is there is looked up, and deleted after the put. */
  readonly replaceNull?: readonly string[];
  readonly putOptions: PutOptions;
  /** Members of the new value. */
  readonly members: { readonly isNull?: true; readonly nullVersionId?: string };
  /** Data of the current value, when nothing will refer to it any more. */
  readonly freed: readonly Location[];
}

export function planWrite(
  versioning: BucketAttributes['versioningConfiguration'],
  current: ObjectValue | undefined,
): WritePlan {
  const location = current?.location ?? [];
  if (!versioning) return { putOptions: {}, members: {}, freed: location };
  const currentIsNull = current !== undefined && (current.isNull === true || current.versionId === undefined);
  return versioning.Status === 'Suspended'
    ? planSuspended(current, currentIsNull)
    : planEnabled(current, currentIsNull);
}

/** A new version; what is there stays. */
function planEnabled(current: ObjectValue | undefined, currentIsNull: boolean): WritePlan {
  const putOptions = { versioning: true } as const;
  if (currentIsNull) {
    const nullVersionId = current?.versionId ?? BEFORE_VERSIONING;
    return { keepNullAs: nullVersionId, putOptions, members: { nullVersionId }, freed: [] };
  }
  const nullVersionId = current?.nullVersionId;
  return { putOptions, members: nullVersionId === undefined ? {} : { nullVersionId }, freed: [] };
}

/** A new null version in the place of the one that is there. */
function planSuspended(current: ObjectValue | undefined, currentIsNull: boolean): WritePlan {
  const plan = { putOptions: { versionId: '' }, members: { isNull: true } } as const;
  if (currentIsNull) {
    const freed = current?.location ?? [];
    const copy = current?.isNull2 === true ? undefined : current?.versionId;
    // One that the current value took the place of, and that could not be deleted then.
    const left = current?.nullVersionId;
    const replaceNull = [copy, left].filter(id => id !== undefined);
    return { ...plan, freed, ...(replaceNull.length > 0 && { replaceNull }) };
  }
  return { ...plan, freed: [], replaceNull: [current?.nullVersionId ?? 'null'] };
}
