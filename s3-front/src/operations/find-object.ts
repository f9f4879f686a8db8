import type { BucketAttributes } from '../bucket-attributes.js';
import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { usable } from './find-bucket.js';
import { findVersion } from './find-version.js';
import type { Front, S3Request } from './operation.js';
import { versionHeader, versionIdOf } from './write-object.js';

export interface ObjectName {
  readonly bucket: string;
  readonly key: string;
  /** As clients see it; `undefined`: the current version. */
  readonly versionId: string | undefined;
  /** It is named as the source of a copy. */
  readonly isSource?: true;
}

export interface FoundObject {
  readonly bucket: BucketAttributes;
  readonly object: ObjectValue;
  /** As clients see it; `undefined` where the bucket has no versioning. */
  readonly versionId: string | undefined;
}

/** The object or version that a request names. */
export function objectNamed({ bucket, key, query }: S3Request): ObjectName {
  return { bucket, key, versionId: query.get('versionId') };
}

/**
 * The version of an object that is named.
 * @throws S3Error NoSuchBucket, AccessDenied, InvalidBucketOwnerAWSAccountID, NoSuchKey, NoSuchVersion; for a delete marker that is named MethodNotAllowed,
 *   or InvalidRequest where it is the source of a copy
 */
export async function findObject(
  front: Front,
  request: S3Request,
  name: ObjectName = objectNamed(request),
): Promise<FoundObject> {
  const { key, versionId } = name;
  const options = { getDeleteMarker: true } as const;
  const [attributes, current] = await front.metadata.getBucketAndObject(
    name.bucket,
    key,
    options,
    request.reqUids,
  );
  const bucket = usable(attributes, request, name.isSource ? 'source' : 'target');
  const found =
    versionId === undefined
      ? current
      : (await findVersion(front, request, { ...name, versionId }, current))?.value;
  if (!found || found.isPHD === true)
    throw new S3Error(versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion');
  const shown = versionIdOf(bucket, found);
  if (found.isDeleteMarker === true) {
    const headers = { 'x-amz-delete-marker': 'true', ...versionHeader(shown) };
    if (versionId === undefined) throw new S3Error('NoSuchKey', undefined, { headers });
    if (name.isSource) throw new S3Error('InvalidRequest', 'A delete marker cannot be copied', { headers });
    throw new S3Error('MethodNotAllowed', 'A delete marker can only be deleted', {
      headers: { ...headers, allow: 'DELETE' },
    });
  }
  return { bucket, object: found, versionId: shown };
}
