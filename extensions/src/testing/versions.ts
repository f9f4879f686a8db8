/** Buckets with versions, as tests fill them and look at them through S3. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createBucket } from './stack.js';

export async function createVersionedBucket(s3: S3Client, Bucket: string): Promise<void> {
  await createBucket(s3, Bucket);
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
}

/** The ids of the versions and delete markers of a key, newest first. */
async function idsOf(
  s3: S3Client,
  Bucket: string,
  Key: string,
): Promise<{ id: string; isMarker: boolean }[]> {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket, Prefix: Key }),
  );
  const all = [
    ...Versions.map(version => ({ ...version, isMarker: false })),
    ...DeleteMarkers.map(version => ({ ...version, isMarker: true })),
  ];
  // An id begins with how long before the end of time it was given.
  return all
    .filter(version => version.Key === Key)
    .map(({ VersionId: id = '', isMarker }) => ({ id, isMarker }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What the versions of a key hold, newest first; a delete marker is `undefined`. */
export async function bodiesOf(s3: S3Client, Bucket: string, Key: string): Promise<(string | undefined)[]> {
  const versions = await idsOf(s3, Bucket, Key);
  return Promise.all(
    versions.map(async ({ id: VersionId, isMarker }) => {
      if (isMarker) return undefined;
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
      return Body?.transformToString();
    }),
  );
}

/** The tags of the versions of a key, newest first, without delete markers. */
export async function tagsOfVersions(
  s3: S3Client,
  Bucket: string,
  Key: string,
): Promise<Record<string, string>[]> {
  const versions = (await idsOf(s3, Bucket, Key)).filter(({ isMarker }) => !isMarker);
  return Promise.all(
    versions.map(async ({ id: VersionId }) => {
      const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key, VersionId }));
      return Object.fromEntries(TagSet.map(({ Key: name = '', Value = '' }) => [name, Value]));
    }),
  );
}

/** Deletes the newest version for good. */
export async function dropNewest(s3: S3Client, Bucket: string, Key: string): Promise<void> {
  const [newest] = await idsOf(s3, Bucket, Key);
  await s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId: newest?.id }));
}
