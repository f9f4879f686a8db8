import { createHash } from 'node:crypto';
import { type BucketAttributes, DEFAULT_LOCATION } from '../bucket-attributes.js';
import { type Location, NO_CONTENT_HEADERS, newObjectValue, type ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import type { Front, Operation, S3Request } from './operation.js';
import { checkWriteConditions } from './conditions.js';
import { creationTimeOf, existing } from './current-object.js';
import { objectNamed } from './find-object.js';
import { existingVersion, findKeptNulls, findVersion } from './find-version.js';
import {
  changedMeanwhile,
  dropKeptNulls,
  type Held,
  holdObject,
  putCurrent,
  refuseForeignData,
  removeData,
  unreferenced,
  versionHeader,
} from './write-object.js';

const EMPTY_MD5 = createHash('md5').digest('hex');

/** What a client is told of a deletion. */
export interface Deleted {
  /** A marker was put over the object, or deleted. */
  readonly isMarker: boolean;
  /** Of the marker that was put, or of the version that was deleted, as clients see it. */
  readonly versionId: string | undefined;
}

/** DeleteObject, of the object or of a version of it. What is not there is deleted with success. */
export const deleteObject: Operation = async (front, request) => {
  const { headers } = request;
  const { key, versionId } = objectNamed(request);
  if (
    headers['x-amz-if-match-size'] !== undefined ||
    headers['x-amz-if-match-last-modified-time'] !== undefined
  ) {
    throw new S3Error('NotImplemented', 'This endpoint deletes on the condition If-Match alone');
  }
  const deletion = { key, versionId, ifMatch: headers['if-match'] };
  const { freed, ...deleted } = await deleteKey(front, request, deletion);
  await removeData(front, request, freed);
  return {
    status: 204,
    headers: {
      ...(deleted.isMarker ? { 'x-amz-delete-marker': 'true' } : {}),
      ...versionHeader(deleted.versionId),
    },
  };
};

export interface Deletion {
  readonly key: string;
  readonly versionId: string | undefined;
  /** The entity tag that what is deleted must have. */
  readonly ifMatch: string | undefined;
}

/**
 * Deletes the object of a key, or one version of it, and resolves with the data that may go then. Where the bucket has
 * versioning and no version is named, a delete marker is put over the object instead, and all versions stay.
 */
export function deleteKey(
  front: Front,
  request: S3Request,
  deletion: Deletion,
): Promise<Deleted & { readonly freed: readonly Location[] }> {
  const { key, versionId, ifMatch } = deletion;
  return holdObject(front, request, key, async held => {
    const { bucket, current } = held;
    if (versionId !== undefined) return deleteVersion(front, request, { ...deletion, versionId }, held);
    checkDeleteCondition(ifMatch, existing(current));
    if (bucket.versioningConfiguration) {
      return { isMarker: true, ...(await putDeleteMarker(front, request, key, held, bucket)) };
    }
    const locations = current?.location ?? [];
    refuseForeignData(locations);
    const { metadata } = front;
    if (current && !(await metadata.deleteObject(request.bucket, key, {}, request.reqUids, current)))
      throw changedMeanwhile();
    return { isMarker: false, versionId: undefined, freed: locations };
  });
}

async function deleteVersion(
  front: Front,
  request: S3Request,
  { key, versionId, ifMatch }: Deletion & { readonly versionId: string },
  { current }: Held,
): Promise<Deleted & { readonly freed: readonly Location[] }> {
  const name = { bucket: request.bucket, key, versionId };
  const found = await findVersion(front, request, name, current);
  checkDeleteCondition(ifMatch, existingVersion(found));
  if (!found) return { isMarker: false, versionId, freed: [] };
  const { value, storedAs } = found;
  const freed = value.location ?? [];
  // What is left of those before it goes first: it would be the null version after this one, and what names it would be gone.
  const left = value.isNull === true && value.nullVersionId !== undefined ? [value.nullVersionId] : [];
  const replaced = await findKeptNulls(front, request, key, left);
  const alsoFreed = replaced.flatMap(({ value: { location } }) => location ?? []);
  refuseForeignData([...freed, ...alsoFreed]);
  const kept = await dropKeptNulls(front, request, key, replaced);
  try {
    if (kept.length > 0) throw new S3Error('ServiceUnavailable');
    const { metadata } = front;
    if (!(await metadata.deleteObject(request.bucket, key, storedAs, request.reqUids, current)))
      throw changedMeanwhile();
  } catch (err) {
    await removeData(front, request, unreferenced(alsoFreed, [value, ...kept]));
    throw err;
  }
  return {
    isMarker: value.isDeleteMarker === true,
    versionId,
    freed: unreferenced([...freed, ...alsoFreed], []),
  };
}

function checkDeleteCondition(ifMatch: string | undefined, object: ObjectValue | undefined): void {
  if (ifMatch !== undefined) checkWriteConditions({ 'if-match': ifMatch }, object);
}

function putDeleteMarker(
  front: Front,
  request: S3Request,
  key: string,
  held: Held,
  bucket: BucketAttributes,
) {
  return putCurrent(front, request, key, held, members =>
    newObjectValue({
      account: request.account,
      key,
      size: 0,
      md5: EMPTY_MD5,
      headers: NO_CONTENT_HEADERS,
      location: null,
      tags: {},
      dataStoreName: bucket.locationConstraint ?? DEFAULT_LOCATION,
      originOp: 's3:ObjectRemoved:DeleteMarkerCreated',
      now: new Date(),
      creationTime: creationTimeOf(held.current),
      isDeleteMarker: true,
      checksum: undefined,
      ...members,
    }),
  );
}
