/**
 * One upload: a PUT when the object is one part, else a multipart upload.
 *
 * Not lib-storage: its parts go on being read and sent after one has failed, its calls take no deadline, and when the
 * answer to its last call is lost it cannot tell an object that is there from one that is not.
 */
import type { CompletedPart } from '@aws-sdk/client-s3';
import { CatalogueError } from '@zenko-modules/common/errors';
import { drain, type S3Calls } from './s3-calls.js';
import { partCount, sealedParts } from './sealed-parts.js';
import { SEAL_BYTES } from './sealed-object.js';

/** S3's limit. */
export const MAX_PARTS = 10_000;

export interface UploadOptions {
  readonly calls: S3Calls;
  readonly name: string;
  readonly source: AsyncIterable<Buffer>;
  readonly size: number;
  readonly partBytes: number;
  /** Longest time that it may take. */
  readonly longestMs: number;
  /** Told the id of a multipart upload as soon as there is one. */
  readonly onUploadId: (uploadId: string) => void;
}

/**
 * Resolves when the object is complete, by the cluster's word. Reads `source` a part ahead of the one that is being sent,
 * and has no call under way any more when it settles.
 */
export async function upload(options: UploadOptions): Promise<void> {
  const { calls, name, source, size, partBytes } = options;
  const parts = sealedParts(source, size, partBytes);
  if (partCount(size, partBytes) > 1) return uploadParts(options, parts);
  for await (const part of parts) await calls.putObject(name, part);
}

async function uploadParts(options: UploadOptions, parts: AsyncGenerator<Buffer, void>): Promise<void> {
  const { calls, name, size, longestMs, onUploadId } = options;
  const begun = performance.now();
  const uploadId = await calls.createUpload(name);
  onUploadId(uploadId);
  const done: CompletedPart[] = [];
  let sending: Promise<CompletedPart> | undefined;
  try {
    for await (const part of parts) {
      if (sending !== undefined) done.push(await sending);
      if (performance.now() - begun > longestMs)
        throw new CatalogueError('ServiceUnavailable', 'the upload took longer than S3_STORE_UPLOAD_MS');
      sending = calls.uploadPart(name, uploadId, done.length + 1, part);
      // It is awaited in its turn.
      sending.catch(() => undefined);
    }
    if (sending !== undefined) done.push(await sending);
  } catch (err) {
    await sending?.catch(() => undefined);
    throw err;
  }
  try {
    await calls.completeUpload(name, uploadId, done);
  } catch (err) {
    // Its answer may be lost, and then a second call finds no upload: nobody but this one makes an object of this name.
    if (!(await isThere(calls, name, size + SEAL_BYTES))) throw err;
  }
}

async function isThere(calls: S3Calls, name: string, objectBytes: number): Promise<boolean> {
  try {
    return (await sizeOf(calls, name)) === objectBytes;
  } catch {
    return false;
  }
}

/**
 * Bytes of an object. By a read of one byte: the answer to HEAD has no body that tells a bucket that is missing from an
 * object that is.
 */
export async function sizeOf(calls: S3Calls, name: string): Promise<number> {
  const object = await calls.read(name, { start: 0, end: 0 });
  await drain(object);
  return object.objectBytes;
}
