/** The header x-amz-copy-source. */
import { checkBucketName } from '../bucket-name.js';
import { checkKey } from '../object-key.js';
import { S3Error } from '../s3-errors.js';

export interface CopySource {
  readonly bucket: string;
  readonly key: string;
}

/** `/bucket/key` or `bucket/key`, percent-encoded. @throws S3Error InvalidArgument, NotImplemented */
export function parseCopySource(header: string): CopySource {
  if (/\?versionId=[^?]*$/.test(header)) {
    throw new S3Error('NotImplemented', 'This endpoint does not copy old versions; CloudServer does');
  }
  let text: string;
  try {
    text = decodeURIComponent(header).replace(/^\//, '');
  } catch (err) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source must be percent-encoded UTF-8', { cause: err });
  }
  const slash = text.indexOf('/');
  const key = text.slice(slash + 1);
  if (slash < 1 || key === '') {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source must be /bucket/key');
  }
  const bucket = text.slice(0, slash);
  checkBucketName(bucket);
  checkKey(key);
  return { bucket, key };
}
