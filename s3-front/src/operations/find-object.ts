import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { findBucket } from './find-bucket.js';
import type { Front, S3Request } from './operation.js';

/** The current version of an object. @throws S3Error NoSuchBucket, AccessDenied, NoSuchKey */
export async function findObject(
  front: Front,
  request: S3Request,
  name: { readonly bucket: string; readonly key: string } = request,
): Promise<ObjectValue> {
  await findBucket(front, request, name.bucket);
  const object = await front.metadata.getObject(
    name.bucket,
    name.key,
    { getDeleteMarker: true },
    request.reqUids,
  );
  if (!object || object.isPHD === true) throw new S3Error('NoSuchKey');
  if (object.isDeleteMarker === true) {
    throw new S3Error('NoSuchKey', undefined, { headers: { 'x-amz-delete-marker': 'true' } });
  }
  return object;
}
