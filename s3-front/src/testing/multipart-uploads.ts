/** Multipart uploads for tests: a bucket of their own, parts to send, and a look at what is left of them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { CompletedPart, S3, UploadPartCommandInput } from '@aws-sdk/client-s3';
import { type S3Stack, startStack } from './s3-stack.js';
import { assertBlobs } from './stored-blobs.js';

export const Bucket = 'multipart';
/** The least that a part may have, but for the last. */
export const MIN = 5 * 1024 * 1024;
export const BIG = randomBytes(MIN);
export const SMALL = Buffer.from('the last part');

export async function read(s3: S3, Key: string, more: object = {}): Promise<Buffer> {
  const { Body } = await s3.getObject({ Bucket, Key, ...more });
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

/** Begins an upload and sends its parts, numbered from 1. */
export async function sendParts(
  s3: S3,
  Key: string,
  bodies: readonly Buffer[],
  more: Partial<UploadPartCommandInput> = {},
): Promise<{ UploadId: string; Parts: CompletedPart[] }> {
  const { ChecksumAlgorithm } = more;
  const { UploadId = '' } = await s3.createMultipartUpload({
    Bucket,
    Key,
    ...(ChecksumAlgorithm && { ChecksumAlgorithm }),
  });
  const Parts = await Promise.all(
    bodies.map(async (Body, index) => {
      const PartNumber = index + 1;
      const sent = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber, Body, ...more });
      const { ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumSHA1, ChecksumSHA256, ChecksumCRC64NVME } = sent;
      return {
        PartNumber,
        ETag,
        ChecksumCRC32,
        ChecksumCRC32C,
        ChecksumSHA1,
        ChecksumSHA256,
        ChecksumCRC64NVME,
      };
    }),
  );
  return { UploadId, Parts };
}

export async function shadowEntries({ metadata }: S3Stack): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of metadata.read(`mpuShadowBucket${Bucket}`, {}, 'test')) keys.push(key);
  return keys;
}

export async function startWithBucket(
  t: TestContext,
  env: Readonly<Record<string, string>> = {},
): Promise<S3Stack> {
  const stack = await startStack(t, env);
  await stack.s3.createBucket({ Bucket });
  return stack;
}

/** Nothing is left but the objects. */
export async function assertClean(stack: S3Stack): Promise<void> {
  assert.deepEqual(await shadowEntries(stack), []);
  const named = new Set<string>();
  for await (const { value } of stack.metadata.read(Bucket, {}, 'test')) {
    const { location } = JSON.parse(value) as { location: { key: string }[] | null };
    for (const { key } of location ?? []) named.add(key);
  }
  await assertBlobs(stack.folder, named);
}
