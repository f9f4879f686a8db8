import {
  type BucketAttributes,
  DEFAULT_LOCATION,
  LOCATIONS,
  newBucket,
  usersBucketEntry,
  usersBucketKey,
} from '../bucket-attributes.js';
import { checkNewBucketName } from '../bucket-name.js';
import { S3Error } from '../s3-errors.js';
import { childrenOf, parseXml, textOf } from '../xml.js';
import { finishDeletion } from './delete-bucket.js';
import { refuseUnkeptPromises } from './object-headers.js';
import type { Front, Operation, S3Request } from './operation.js';

const MAX_BODY_BYTES = 64 * 1024;

/** CreateBucket, in CloudServer's three steps: the bucket in transit, the owner's list, the bucket itself. */
export const createBucket: Operation = async (front, request) => {
  const { bucket: name, headers } = request;
  checkNewBucketName(name);
  refuseUnkeptPromises(headers);
  const ownership = headers['x-amz-object-ownership'] ?? 'BucketOwnerEnforced';
  if (ownership !== 'BucketOwnerEnforced') {
    throw new S3Error('NotImplemented', 'x-amz-object-ownership must be BucketOwnerEnforced');
  }
  const location = await readLocation(request);
  await front.locks.exclusive(name, async () => {
    const existing = await clearTheWay(front, request);
    await finishCreation(front, request, existing ?? newBucket(name, location, request.account), !existing);
  });
  return { status: 200, headers: { location: `/${name}` } };
};

/** A bucket that stopped half-way through its creation, to go on with. @throws S3Error when the name is taken */
async function clearTheWay(front: Front, request: S3Request): Promise<BucketAttributes | undefined> {
  const existing = await front.metadata.getBucket(request.bucket, request.reqUids);
  if (!existing) return undefined;
  if (existing.owner !== request.account.canonicalId) throw new S3Error('BucketAlreadyExists');
  if (existing.deleted) {
    await finishDeletion(front, request);
    return undefined;
  }
  if (!existing.transient) throw new S3Error('BucketAlreadyOwnedByYou');
  return existing;
}

async function finishCreation(
  front: Front,
  { account, bucket: name, reqUids }: S3Request,
  bucket: BucketAttributes,
  isNew: boolean,
): Promise<void> {
  const { metadata } = front;
  if (isNew) await metadata.putBucket(bucket, reqUids);
  await metadata.ensureUsersBucket(reqUids);
  await metadata.putUsersBucketEntry(usersBucketKey(account, name), usersBucketEntry(), reqUids);
  await metadata.putBucket({ ...bucket, transient: false }, reqUids);
}

/** @throws S3Error MalformedXML, InvalidLocationConstraint, NotImplemented */
async function readLocation(request: S3Request): Promise<string> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const hasBody = length !== undefined || encoding !== undefined;
  const xml = hasBody ? await request.body().text(MAX_BODY_BYTES) : '';
  if (xml.trim() === '') return DEFAULT_LOCATION;
  const configuration = parseXml(xml, 'CreateBucketConfiguration');
  if (['Location', 'Bucket', 'Tags'].some(name => childrenOf(configuration, name).length > 0)) {
    throw new S3Error('NotImplemented', 'A bucket can be made with a LocationConstraint alone');
  }
  const location = textOf(configuration, 'LocationConstraint')?.trim() || DEFAULT_LOCATION;
  if (!LOCATIONS.includes(location)) {
    throw new S3Error(
      'InvalidLocationConstraint',
      `LocationConstraint must be one of ${LOCATIONS.join(', ')}`,
    );
  }
  return location;
}
