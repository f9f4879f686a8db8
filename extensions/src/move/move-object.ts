/**
 * Moves an object by copy, verify, delete. At no moment is there less than one whole copy, and a crash at
 * any moment is mended by doing the same again.
 *
 * - What is moved is the current version. Where the source bucket has versions, the deletion leaves a delete
 *   marker and the version under it, so that nothing is lost; older versions stay where they are.
 * - Metadata and tags go with the object; its ACL does not (S3 does not copy ACLs).
 * - An object at the target that is another one is not overwritten, unless `overwrite` says so.
 * - S3 copies up to 5 GiB at once: a larger object is refused, not moved in parts.
 */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Logger } from '@zenko-modules/common/logger';
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { PermanentError } from '../contract/processor-errors.js';

const MAX_COPY_BYTES = 5 * 1024 ** 3;
/** A copy of 5 GiB may take S3 long before its first answering byte. */
export const COPY_TIMEOUT_MS = 15 * 60_000;

export interface Place {
  readonly Bucket: string;
  readonly Key: string;
}

export class ObjectMover {
  readonly #s3: S3Client;
  readonly #log: Logger;

  /** @param s3 a client with COPY_TIMEOUT_MS. */
  constructor(s3: S3Client, log: Logger) {
    this.#s3 = s3;
    this.#log = log;
  }

  /**
   * Resolves when the object is at `target` and gone from `source`. Rejects with NotFound when it is gone
   * already, and with PermanentError when it cannot be moved.
   */
  async move(source: Place, target: Place, overwrite: boolean, abortSignal: AbortSignal): Promise<void> {
    const original = await this.#s3.send(new HeadObjectCommand(source), { abortSignal });
    if ((original.ContentLength ?? 0) > MAX_COPY_BYTES) {
      throw new PermanentError(`${nameOf(source)} is larger than the 5 GiB that S3 copies at once`);
    }
    await this.#checkBucket(target.Bucket, abortSignal);
    const before = await this.#find(target, abortSignal);
    if (before && !isSame(before, original) && !overwrite) {
      throw new PermanentError(`${nameOf(target)} exists and is another object than ${nameOf(source)}`);
    }
    if (!before || !isSame(before, original)) await this.#copy(source, target, original, abortSignal);
    await this.#verify(source, target, original, abortSignal);
    const now = await this.#s3.send(new HeadObjectCommand(source), { abortSignal });
    if (!isUnchanged(now, original)) {
      if (!before) await this.#s3.send(new DeleteObjectCommand(target), { abortSignal });
      throw new Error(`${nameOf(source)} was written again while it was moved`);
    }
    // Only what was copied may be deleted: IfMatch says so to servers that know it.
    const condition = original.ETag === undefined ? {} : { IfMatch: original.ETag };
    await this.#s3.send(new DeleteObjectCommand({ ...source, ...condition }), { abortSignal });
    this.#log.info({ from: nameOf(source), to: nameOf(target), bytes: original.ContentLength }, 'moved');
  }

  async #checkBucket(Bucket: string, abortSignal: AbortSignal): Promise<void> {
    try {
      await this.#s3.send(new HeadBucketCommand({ Bucket }), { abortSignal });
    } catch (err) {
      // Not to be taken for an object that is gone.
      if (isNotFound(err))
        throw new PermanentError(`there is no bucket ${Bucket} to move to`, { cause: err });
      throw err;
    }
  }

  async #find(place: Place, abortSignal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#s3.send(new HeadObjectCommand(place), { abortSignal });
    } catch (err) {
      if (isNotFound(err)) return undefined;
      throw err;
    }
  }

  async #copy(
    source: Place,
    target: Place,
    { VersionId, ETag }: HeadObjectCommandOutput,
    abortSignal: AbortSignal,
  ): Promise<void> {
    const version = VersionId === undefined ? '' : `?versionId=${encodeURIComponent(VersionId)}`;
    const key = source.Key.split('/').map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({
      ...target,
      CopySource: `${source.Bucket}/${key}${version}`,
      CopySourceIfMatch: ETag,
      MetadataDirective: 'COPY',
      TaggingDirective: 'COPY',
    });
    await this.#s3.send(command, { abortSignal });
  }

  async #verify(
    source: Place,
    target: Place,
    original: HeadObjectCommandOutput,
    abortSignal: AbortSignal,
  ): Promise<void> {
    const copy = await this.#s3.send(new HeadObjectCommand(target), { abortSignal });
    if (copy.ContentLength === original.ContentLength) {
      if (copy.ETag === original.ETag) return;
      // An object that was uploaded in parts has an ETag that its copy may not have: compare the bytes.
      const [a, b] = await Promise.all([this.#hash(source, abortSignal), this.#hash(target, abortSignal)]);
      if (a === b) return;
    }
    throw new Error(`the copy ${nameOf(target)} is not what ${nameOf(source)} is`);
  }

  async #hash(place: Place, abortSignal: AbortSignal): Promise<string> {
    const { Body } = await this.#s3.send(new GetObjectCommand(place), { abortSignal });
    const hash = createHash('sha256');
    if (Body) for await (const chunk of Body as AsyncIterable<Uint8Array>) hash.update(chunk);
    return hash.digest('hex');
  }
}

function nameOf({ Bucket, Key }: Place): string {
  return `${Bucket}/${Key}`;
}

/** A copy of the same object, such as an earlier attempt left. */
function isSame(a: HeadObjectCommandOutput, b: HeadObjectCommandOutput): boolean {
  return (
    a.ETag === b.ETag &&
    a.ContentLength === b.ContentLength &&
    a.ContentType === b.ContentType &&
    isDeepStrictEqual(a.Metadata ?? {}, b.Metadata ?? {})
  );
}

function isUnchanged(a: HeadObjectCommandOutput, b: HeadObjectCommandOutput): boolean {
  return (
    a.ETag === b.ETag &&
    a.VersionId === b.VersionId &&
    a.LastModified?.getTime() === b.LastModified?.getTime()
  );
}

function isNotFound(err: unknown): boolean {
  return (err as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode === 404;
}
