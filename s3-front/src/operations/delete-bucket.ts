import { SHADOW_BUCKET_PREFIX, usersBucketKey, withDeletedFlag } from '../bucket-attributes.js';
import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { findBucket } from './find-bucket.js';
import type { Front, Operation, S3Request } from './operation.js';

/** DeleteBucket, of a bucket without objects, versions and unfinished uploads. */
export const deleteBucket: Operation = async (front, request) => {
  const { bucket: name, reqUids } = request;
  const { locks, metadata } = front;
  await locks.exclusive(name, async () => {
    const bucket = await findBucket(front, request);
    if (!(await isEmpty(front, request, name))) throw new S3Error('BucketNotEmpty');
    const shadow = SHADOW_BUCKET_PREFIX + name;
    if (await metadata.getBucket(shadow, reqUids)) {
      if (!(await isEmpty(front, request, shadow))) {
        throw new S3Error('BucketNotEmpty', 'The bucket has multipart uploads under way');
      }
      await metadata.deleteBucket(shadow, reqUids);
    }
    await metadata.putBucket(withDeletedFlag(bucket), reqUids);
    await finishDeletion(front, request);
  });
  return { status: 204 };
};

/** The second half, also of a deletion that stopped after its first. */
export async function finishDeletion(
  front: Front,
  { account, bucket: name, reqUids }: S3Request,
): Promise<void> {
  await front.metadata.deleteUsersBucketEntry(usersBucketKey(account, name), reqUids);
  await front.metadata.deleteBucket(name, reqUids);
}

/** Whether a database holds nothing but place holders, which stand for nothing. */
async function isEmpty({ metadata }: Front, { reqUids }: S3Request, database: string): Promise<boolean> {
  for await (const { value } of metadata.read(database, {}, reqUids)) {
    if ((JSON.parse(value) as Partial<ObjectValue>).isPHD !== true) return false;
  }
  return true;
}
