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
 * @param role the bucket is the source of a copy, or what the request is about
 * @throws S3Error NoSuchBucket, AccessDenied, InvalidBucketOwnerAWSAccountID
 */
export function usable(
  bucket: BucketAttributes | undefined,
  request: S3Request,
  role: keyof typeof EXPECTED_OWNER = 'target',
): BucketAttributes {
  const header = EXPECTED_OWNER[role];
  const expectedOwner = request.headers[header];
  if (expectedOwner !== undefined && !/^\d{12}$/.test(String(expectedOwner))) {
    throw new S3Error('InvalidBucketOwnerAWSAccountID', `${header} must be the twelve digits of an account`);
  }
  if (!bucket || bucket.transient || bucket.deleted) throw new S3Error('NoSuchBucket');
  if (bucket.owner !== request.account.canonicalId) throw new S3Error('AccessDenied');
  if (expectedOwner !== undefined && expectedOwner !== request.account.accountId) {
    throw new S3Error('AccessDenied', `The bucket does not belong to ${header}`);
  }
  return bucket;
}

/** Headers in which a client says whose it takes a bucket for. */
const EXPECTED_OWNER = {
  target: 'x-amz-expected-bucket-owner',
  source: 'x-amz-source-expected-bucket-owner',
} as const;

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
