import { createHash } from 'node:crypto';
import { type BucketAttributes, DEFAULT_LOCATION } from '../bucket-attributes.js';
import { NO_CONTENT_HEADERS, newObjectValue } from '../object-value.js';
import type { Front, Operation, S3Request } from './operation.js';
import { checkWriteConditions } from './conditions.js';
import { creationTimeOf, existing } from './current-object.js';
import { type Held, holdObject, putCurrent, refuseForeignData, removeData } from './write-object.js';

const EMPTY_MD5 = createHash('md5').digest('hex');

/** DeleteObject. What is not there is deleted with success. */
export const deleteObject: Operation = async (front, request) => {
  const { marker } = await deleteKey(front, request, request.key);
  return { status: 204, headers: marker ? { 'x-amz-delete-marker': 'true' } : {} };
};

/**
 * Deletes the object of a key, and its data once it is gone. Where the bucket has versioning, a delete
 * marker is put over it instead, and all versions stay.
 */
export async function deleteKey(
  front: Front,
  request: S3Request,
  key: string,
): Promise<{ readonly marker: boolean }> {
  const { marker, freed } = await holdObject(front, request, key, async held => {
    const { bucket, current } = held;
    if (request.headers['if-match'] !== undefined) checkWriteConditions(request.headers, existing(current));
    if (bucket.versioningConfiguration) {
      return { marker: true, ...(await putDeleteMarker(front, request, key, held, bucket)) };
    }
    const locations = current?.location ?? [];
    refuseForeignData(locations);
    if (current) await front.metadata.deleteObject(request.bucket, key, request.reqUids);
    return { marker: false, freed: locations };
  });
  await removeData(front, request, freed);
  return { marker };
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
      account: front.account,
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
