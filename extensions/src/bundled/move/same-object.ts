/** Whether two places hold the same object: the same bytes, headers, metadata and tags. */
import {
  GetObjectCommand,
  GetObjectTaggingCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

export interface Place {
  readonly Bucket: string;
  readonly Key: string;
}

export interface FoundObject {
  readonly place: Place;
  readonly head: HeadObjectCommandOutput;
}

/** What a copy takes over. */
const SAME = [
  'ContentLength',
  'ContentType',
  'ContentEncoding',
  'ContentLanguage',
  'ContentDisposition',
  'CacheControl',
  'ExpiresString',
] as const;

/** Reads the bytes only when all else is the same, but not the ETags. Rejects when one is changed meanwhile. */
export async function isSameObject(
  s3: S3Client,
  a: FoundObject,
  b: FoundObject,
  signal: AbortSignal,
): Promise<boolean> {
  if (SAME.some(field => a.head[field] !== b.head[field])) return false;
  if (!isDeepStrictEqual(a.head.Metadata ?? {}, b.head.Metadata ?? {})) return false;
  const tags = await Promise.all([tagsOf(s3, a, signal), tagsOf(s3, b, signal)]);
  if (!isDeepStrictEqual(...tags)) return false;
  if (a.head.ETag === b.head.ETag) return true;
  // An object that was uploaded in parts has an ETag that its copy may not have.
  const hashes = await Promise.all([hashOf(s3, a, signal), hashOf(s3, b, signal)]);
  return hashes[0] === hashes[1];
}

function versionOf({ place, head }: FoundObject) {
  return { ...place, ...(head.VersionId !== undefined && { VersionId: head.VersionId }) };
}

async function tagsOf(
  s3: S3Client,
  found: FoundObject,
  abortSignal: AbortSignal,
): Promise<Map<string | undefined, string | undefined>> {
  const command = new GetObjectTaggingCommand(versionOf(found));
  const { TagSet = [] } = await s3.send(command, { abortSignal });
  return new Map(TagSet.map(({ Key, Value }) => [Key, Value]));
}

async function hashOf(s3: S3Client, found: FoundObject, abortSignal: AbortSignal): Promise<string> {
  const command = new GetObjectCommand({ ...versionOf(found), IfMatch: found.head.ETag });
  const { Body } = await s3.send(command, { abortSignal });
  const hash = createHash('sha256');
  if (Body) for await (const chunk of Body as AsyncIterable<Uint8Array>) hash.update(chunk);
  return hash.digest('hex');
}
