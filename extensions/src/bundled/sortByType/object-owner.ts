/** Who owns an object now: a listing tells, with the ETag of the same moment. */
import { type HeadObjectCommandOutput, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import type { Place } from '../move/same-object.js';

/** Canonical id and display name. Rejects when the object is not the one that `head` tells of. */
export async function ownerNames(
  s3: S3Client,
  { Bucket, Key }: Place,
  head: HeadObjectCommandOutput,
  abortSignal: AbortSignal,
): Promise<string[]> {
  // Of the keys with this beginning the key itself is the first.
  const command = new ListObjectsV2Command({ Bucket, Prefix: Key, MaxKeys: 1, FetchOwner: true });
  const { Contents = [] } = await s3.send(command, { abortSignal });
  const [found] = Contents;
  const seconds = (time: Date | undefined): number => Math.floor((time?.getTime() ?? 0) / 1000);
  const isIt =
    found?.Key === Key &&
    found.ETag === head.ETag &&
    seconds(found.LastModified) === seconds(head.LastModified);
  if (!isIt) throw new Error(`${Bucket}/${Key} was written again while its owner was asked for`);
  return [found.Owner?.ID, found.Owner?.DisplayName].filter(name => name !== undefined);
}
