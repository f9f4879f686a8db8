/** What `put` and `rm` must know of a bucket before they change what is in it. */
import type { BucketAttributes } from '@zenko-modules/s3-front/bucket-attributes';
import { METASTORE } from '@zenko-modules/s3-front/bucket-attributes';
import { ToolError } from '../command/exit-code.js';
import type { MetadataClient } from '../metadata/metadata-client.js';

export interface ObjectPath {
  readonly bucket: string;
  readonly key: string;
}

/** `<bucket>` or `<bucket>/<key>`. */
export function parsePath(path: string): ObjectPath {
  const slash = path.indexOf('/');
  return slash < 0 ? { bucket: path, key: '' } : { bucket: path.slice(0, slash), key: path.slice(slash + 1) };
}

/** @throws ToolError when the path names no object */
export function parseObjectPath(path: string): ObjectPath {
  const parsed = parsePath(path);
  if (parsed.bucket !== '' && parsed.key !== '') return parsed;
  throw new ToolError(`${path}: expected <bucket>/<key>`);
}

/** @throws ToolError when there is no such bucket, or when what is in it is more than these verbs know to keep */
export async function bucketOf(client: MetadataClient, name: string): Promise<BucketAttributes> {
  const stored = await client.get(METASTORE, name);
  const bucket = stored === undefined ? undefined : (JSON.parse(stored) as BucketAttributes);
  if (bucket === undefined || bucket.deleted || bucket.transient)
    throw new ToolError(`${name}: there is no such bucket`);
  if (bucket.objectLockEnabled) throw new ToolError(`${name}: it locks objects: change it through S3`);
  return bucket;
}
