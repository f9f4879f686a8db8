/** The header x-amz-copy-source. */
import { checkBucketName } from '../bucket-name.js';
import { checkKey } from '../object-key.js';
import { S3Error } from '../s3-errors.js';
import type { ObjectName } from './find-object.js';

/** `/bucket/key` or `bucket/key`, percent-encoded, and `?versionId=…` behind it. @throws S3Error InvalidArgument */
export function parseCopySource(header: string): ObjectName {
  const [, path = header, versionId] = /^(.*)\?versionId=([^?]*)$/s.exec(header) ?? [];
  let text: string;
  try {
    text = decodeURIComponent(path).replace(/^\//, '');
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
  return { bucket, key, versionId, isSource: true };
}
