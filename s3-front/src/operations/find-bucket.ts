/** The bucket that a request names, when it is there and may be used in the way asked for. */
import type { BucketAttributes } from '../bucket-attributes.js';
import { S3Error } from '../s3-errors.js';
import type { Front, S3Request } from './operation.js';

/** @throws S3Error NoSuchBucket, AccessDenied */
export async function findBucket(
  front: Front,
  request: S3Request,
  name: string = request.bucket,
): Promise<BucketAttributes> {
  return usable(await front.metadata.getBucket(name, request.reqUids), request);
}

/**
 * What was found under the name of a bucket, when it is there for who asks.
 * @throws S3Error NoSuchBucket, AccessDenied
 */
export function usable(bucket: BucketAttributes | undefined, request: S3Request): BucketAttributes {
  if (!bucket || bucket.transient || bucket.deleted) throw new S3Error('NoSuchBucket');
  if (bucket.owner !== request.account.canonicalId) throw new S3Error('AccessDenied');
  const expectedOwner = request.headers['x-amz-expected-bucket-owner'];
  if (expectedOwner !== undefined && expectedOwner !== request.account.accountId) {
    throw new S3Error('AccessDenied', 'The bucket does not belong to x-amz-expected-bucket-owner');
  }
  return bucket;
}

/**
 * For changes of objects: refuses a bucket with promises that this endpoint could not keep.
 * @throws S3Error NoSuchBucket, AccessDenied, NotImplemented
 */
export async function findWritableBucket(front: Front, request: S3Request): Promise<BucketAttributes> {
  return writable(await findBucket(front, request));
}

/** @throws S3Error NotImplemented */
export function writable(bucket: BucketAttributes): BucketAttributes {
  if (bucket.objectLockEnabled || bucket.serverSideEncryption !== null) {
    throw new S3Error(
      'NotImplemented',
      'The bucket has object lock or encryption: change its objects through CloudServer',
    );
  }
  return bucket;
}
