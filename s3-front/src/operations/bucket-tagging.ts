import { type BucketAttributes, changedBucket } from '../bucket-attributes.js';
import { S3Error } from '../s3-errors.js';
import { findBucket } from './find-bucket.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';
import { MAX_BUCKET_TAGS, parseTagging, taggingXml } from './tag-set.js';

/** Fifty tags of the longest kind, each character six bytes of XML, with room for their elements. */
const MAX_TAGGING_BYTES = 256 * 1024;

export const getBucketTagging: Operation = async (front, request) => {
  const { tags = [] } = await findBucket(front, request);
  if (tags.length === 0) throw new S3Error('NoSuchTagSet');
  return xmlResponse(taggingXml(Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value]))));
};

export const putBucketTagging: Operation = async (front, request) => {
  const tags = parseTagging(await request.body().text(MAX_TAGGING_BYTES), MAX_BUCKET_TAGS);
  await replaceTags(
    front,
    request,
    Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
  );
  return { status: 204 };
};

export const deleteBucketTagging: Operation = async (front, request) => {
  await replaceTags(front, request, []);
  return { status: 204 };
};

function replaceTags(
  front: Front,
  request: S3Request,
  tags: NonNullable<BucketAttributes['tags']>,
): Promise<void> {
  return front.locks.exclusive(request.bucket, async () => {
    const bucket = await findBucket(front, request);
    await front.metadata.putBucket(changedBucket(bucket, { tags }), request.reqUids);
  });
}
