/**
 * Moves an object by copy, verify, delete. At no moment is there less than one whole copy, and a crash at
 * any moment is mended by doing the same again.
 *
 * - What is moved is the current version. Where the source bucket has versions, the deletion leaves a delete
 *   marker and the version under it, so that nothing is lost; older versions stay where they are.
 * - Metadata and tags go with the object; its ACL does not (S3 does not copy ACLs).
 * - An object at the target that is another one is not overwritten, unless `overwrite` says so.
 * - S3 copies up to 5 GiB at once: a larger object is refused, not moved in parts.
 * - An object that is written again meanwhile stays: servers that know conditions of deletions compare once
 *   more, and where there are versions a deletion that hid a newer one is taken back. What is left on a server
 *   that knows neither is a moment between our last look and the deletion.
 */
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Logger } from '@zenko-modules/common/logger';
import { PermanentError } from '../../framework/contract/processor-errors.js';
import type { CreateS3Client } from '../../framework/contract/extension.js';
import { SLOW_ANSWERS } from '../../framework/s3/s3-client.js';
import { isSameObject, type Place } from './same-object.js';

const MAX_COPY_BYTES = 5 * 1024 ** 3;
/** Time that a move may take: that of the copy (`SLOW_ANSWERS`), and some for the rest. */
export const MOVE_TIMEOUT_MS = 20 * 60_000;

export interface Move {
  readonly source: Place;
  /** What `look` said of the source: the move is of this object, and of no later one. */
  readonly original: HeadObjectCommandOutput;
  readonly target: Place;
  readonly overwrite: boolean;
}

export class ObjectMover {
  readonly #s3: S3Client;
  /** S3 may take long to copy 5 GiB before its first answering byte. */
  readonly #copying: S3Client;
  readonly #log: Logger;

  constructor(createS3Client: CreateS3Client, log: Logger) {
    this.#s3 = createS3Client();
    this.#copying = createS3Client({ requestHandler: SLOW_ANSWERS });
    this.#log = log;
  }

  /** The object as it is now. Rejects with NoSuchKey when there is none. */
  async look(place: Place, abortSignal: AbortSignal): Promise<HeadObjectCommandOutput> {
    const head = await this.#s3.send(new HeadObjectCommand(place), { abortSignal }).catch(unlessNotFound);
    if (head) return head;
    // The 404 of a HEAD has no body, and may be that of a server before S3: to a GET, S3 names what is not there.
    const { Body } = await this.#s3.send(new GetObjectCommand({ ...place, Range: 'bytes=0-0' }), {
      abortSignal,
    });
    await Body?.transformToByteArray();
    throw new Error(`${nameOf(place)} was said not to be there, and is`);
  }

  /**
   * Resolves when the object is at `target` and gone from `source`. Rejects with NoSuchKey when it is gone
   * already, with PermanentError when it cannot be moved, and with an Error when it was written again.
   */
  async move({ source, original, target, overwrite }: Move, signal: AbortSignal): Promise<void> {
    if ((original.ContentLength ?? 0) > MAX_COPY_BYTES) {
      throw new PermanentError(`${nameOf(source)} is larger than the 5 GiB that S3 copies at once`);
    }
    await this.#checkBucket(target.Bucket, signal);
    const before = await this.#find(target, signal);
    const isSame = (copy: HeadObjectCommandOutput): Promise<boolean> =>
      isSameObject(this.#s3, { place: source, head: original }, { place: target, head: copy }, signal);
    const wasCopied = before !== undefined && (await isSame(before));
    if (before && !wasCopied && !overwrite) {
      throw new PermanentError(`${nameOf(target)} exists and is another object than ${nameOf(source)}`);
    }
    if (!wasCopied) await this.#copy(source, original, target, before === undefined, signal);
    const copy = await this.look(target, signal);
    if (!(await isSame(copy))) {
      throw new Error(`the copy ${nameOf(target)} is not what ${nameOf(source)} is`);
    }
    if (!(await this.#remove(source, original, signal))) {
      if (!before) await this.#takeBack(target, copy, signal);
      throw new Error(`${nameOf(source)} was written again while it was moved`);
    }
    this.#log.info({ from: nameOf(source), to: nameOf(target), bytes: original.ContentLength }, 'moved');
  }

  async #checkBucket(Bucket: string, abortSignal: AbortSignal): Promise<void> {
    const command = new HeadBucketCommand({ Bucket });
    if (await this.#s3.send(command, { abortSignal }).catch(unlessNotFound)) return;
    try {
      // As in `look`.
      await this.#s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }), { abortSignal });
    } catch (err) {
      // Not to be taken for an object that is gone.
      if (nameOfError(err) === 'NoSuchBucket')
        throw new PermanentError(`there is no bucket ${Bucket} to move to`, { cause: err });
      throw err;
    }
  }

  async #find(place: Place, signal: AbortSignal): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.look(place, signal);
    } catch (err) {
      if (nameOfError(err) === 'NoSuchKey') return undefined;
      throw err;
    }
  }

  async #copy(
    source: Place,
    { VersionId, ETag }: HeadObjectCommandOutput,
    target: Place,
    isNew: boolean,
    abortSignal: AbortSignal,
  ): Promise<void> {
    const version = VersionId === undefined ? '' : `?versionId=${encodeURIComponent(VersionId)}`;
    const key = source.Key.split('/').map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({
      ...target,
      CopySource: `${source.Bucket}/${key}${version}`,
      CopySourceIfMatch: ETag,
      // Nor may one be overwritten that has come there since we looked: servers that know this see to it.
      ...(isNew && { IfNoneMatch: '*' }),
      MetadataDirective: 'COPY',
      TaggingDirective: 'COPY',
    });
    await this.#copying.send(command, { abortSignal });
  }

  /** Deletes the source if it is still the original; false when it is not. */
  async #remove(
    source: Place,
    original: HeadObjectCommandOutput,
    abortSignal: AbortSignal,
  ): Promise<boolean> {
    if (!isUnchanged(await this.look(source, abortSignal), original)) return false;
    const command = new DeleteObjectCommand({ ...source, ...ifMatch(original) });
    let marker: string | undefined;
    try {
      const answer = await this.#s3.send(command, { abortSignal });
      marker = answer.DeleteMarker === true ? answer.VersionId : undefined;
    } catch (err) {
      if (statusOf(err) === 412) return false;
      throw err;
    }
    // A marker `null` has taken the place of the version, and hides none.
    if (marker === undefined || marker === 'null') return true;
    if ((await this.#newestVersion(source, abortSignal)) === original.VersionId) return true;
    await this.#s3.send(new DeleteObjectCommand({ ...source, VersionId: marker }), { abortSignal });
    return false;
  }

  async #newestVersion({ Bucket, Key }: Place, abortSignal: AbortSignal): Promise<string | undefined> {
    // Of the keys with this beginning the key itself is the first.
    const command = new ListObjectVersionsCommand({ Bucket, Prefix: Key });
    const { Versions = [] } = await this.#s3.send(command, { abortSignal });
    return Versions.find(version => version.Key === Key)?.VersionId;
  }

  /** Removes our copy of an outdated original, unless it is another's by now. */
  async #takeBack(target: Place, copy: HeadObjectCommandOutput, abortSignal: AbortSignal): Promise<void> {
    const which = copy.VersionId === undefined ? ifMatch(copy) : { VersionId: copy.VersionId };
    try {
      await this.#s3.send(new DeleteObjectCommand({ ...target, ...which }), { abortSignal });
    } catch (err) {
      if (statusOf(err) !== 412 && statusOf(err) !== 404) throw err;
    }
  }
}

function nameOf({ Bucket, Key }: Place): string {
  return `${Bucket}/${Key}`;
}

/** Only that object may be deleted: says so to servers that know it. */
function ifMatch({ ETag }: HeadObjectCommandOutput): { IfMatch?: string } {
  return ETag === undefined ? {} : { IfMatch: ETag };
}

function isUnchanged(a: HeadObjectCommandOutput, b: HeadObjectCommandOutput): boolean {
  return (
    a.ETag === b.ETag &&
    a.VersionId === b.VersionId &&
    a.LastModified?.getTime() === b.LastModified?.getTime()
  );
}

function statusOf(err: unknown): number | undefined {
  return (err as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

function nameOfError(err: unknown): unknown {
  return (err as { name?: unknown }).name;
}

function unlessNotFound(err: unknown): undefined {
  if (statusOf(err) !== 404) throw err;
}
