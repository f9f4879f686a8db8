import type { HeadObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '@zenko-modules/common/logger';
import { CouldNotDetermineFileTypeError, parseFromTokenizer, UnsupportedFileTypeError } from 'music-metadata';
import type { ProcessorContext, QueueProcessor } from '../../framework/contract/extension.js';
import { PermanentError } from '../../framework/contract/processor-errors.js';
import { parseEntry } from '../../framework/contract/queue-populator-extension.js';
import { describeCreation } from '../move/creations.js';
import { bucketName } from '../move/move-config.js';
import { MOVE_TIMEOUT_MS, ObjectMover } from '../move/move-object.js';
import type { Place } from '../move/same-object.js';
import type { ReceivedMessage } from '../../framework/queue/queue.js';
import { ARTIST, type SortMusicConfig } from './config.js';
import { artistInBucket, artistInKey } from './music-file.js';
import { RangedTokenizer } from './ranged-tokenizer.js';

/** Moves a music file to where its artist asks for. */
export class SortMusicProcessor implements QueueProcessor {
  readonly attemptTimeoutMs = MOVE_TIMEOUT_MS;
  readonly #config: SortMusicConfig;
  readonly #s3: S3Client;
  readonly #mover: ObjectMover;
  readonly #log: Logger;

  constructor({ config, createS3Client, logger }: ProcessorContext<SortMusicConfig>) {
    this.#config = config;
    this.#s3 = createS3Client();
    this.#mover = new ObjectMover(createS3Client, logger);
    this.#log = logger;
  }

  async processEntry(message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    const { buckets, fromPrefix, overwrite, unknownArtist } = this.#config;
    const object = describeCreation(parseEntry(message.value), buckets);
    // Published under another configuration: nothing to sort under this one.
    if (!object?.objectKey.startsWith(fromPrefix)) return;
    const source = { Bucket: object.bucket, Key: object.objectKey };
    const original = await this.#mover.look(source, signal);
    const artist = (await this.#artistOf(source, original, signal)) ?? unknownArtist;
    if (artist === undefined) {
      this.#log.info(source, 'stays where it is: it names no artist');
      return;
    }
    const target = this.#targetOf(source, artist);
    await this.#mover.move({ source, original, target, overwrite }, signal);
  }

  #targetOf({ Key }: Place, artist: string): Place {
    const { bucket, prefix, buckets, fromPrefix } = this.#config;
    const target = {
      Bucket: bucket.replaceAll(ARTIST, () => artistInBucket(artist)),
      Key: prefix.replaceAll(ARTIST, () => artistInKey(artist)) + Key.slice(fromPrefix.length),
    };
    if (!bucketName.safeParse(target.Bucket).success) {
      throw new PermanentError(`no bucket can be named ${target.Bucket} after ${artist}`);
    }
    if (buckets.includes(target.Bucket) && target.Key.startsWith(fromPrefix)) {
      throw new PermanentError(`${target.Bucket}/${target.Key} would be sorted again`);
    }
    return target;
  }

  /** The artist of the album, else of the piece; `undefined` when the file names none. */
  async #artistOf(
    place: Place,
    head: HeadObjectCommandOutput,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const tokenizer = new RangedTokenizer({
      s3: this.#s3,
      place,
      size: head.ContentLength ?? 0,
      mimeType: head.ContentType,
      etag: head.ETag,
      maxReadBytes: this.#config.maxReadBytes,
      signal,
    });
    try {
      const { common } = await parseFromTokenizer(tokenizer, { duration: false, skipCovers: true });
      this.#log.debug(
        { ...place, bytesRead: tokenizer.bytesRead, size: head.ContentLength },
        'read the tags',
      );
      return [common.albumartist, common.artist].find(name => name !== undefined && artistInKey(name) !== '');
    } catch (err) {
      if (err instanceof CouldNotDetermineFileTypeError || err instanceof UnsupportedFileTypeError)
        return undefined;
      throw err;
    } finally {
      await tokenizer.close();
    }
  }
}
