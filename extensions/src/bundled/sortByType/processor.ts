import { GetObjectCommand, type HeadObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '@zenko-modules/common/logger';
import type { ProcessorContext, QueueProcessor } from '../../framework/contract/extension.js';
import { parseEntry } from '../../framework/contract/queue-populator-extension.js';
import { describeCreation } from '../move/creations.js';
import { MOVE_TIMEOUT_MS, ObjectMover } from '../move/move-object.js';
import type { Place } from '../move/same-object.js';
import type { ReceivedMessage } from '../../framework/queue/queue.js';
import type { SortByTypeConfig } from './config.js';
import { ownerNames } from './object-owner.js';
import { declaredType, type DetectedType, SAMPLE_BYTES, sampledType, typeNames } from './object-type.js';

/** Moves an object into the bucket that its type, or its owner, asks for. */
export class SortByTypeProcessor implements QueueProcessor {
  readonly attemptTimeoutMs = MOVE_TIMEOUT_MS;
  readonly #config: SortByTypeConfig;
  readonly #s3: S3Client;
  readonly #mover: ObjectMover;
  readonly #log: Logger;

  constructor({ config, createS3Client, logger }: ProcessorContext<SortByTypeConfig>) {
    this.#config = config;
    this.#s3 = createS3Client();
    this.#mover = new ObjectMover(createS3Client, logger);
    this.#log = logger;
  }

  async processEntry(message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    const object = describeCreation(parseEntry(message.value), this.#config.buckets);
    // Published under another configuration: nothing to sort under this one.
    if (!object) return;
    const source = { Bucket: object.bucket, Key: object.objectKey };
    // What the entry says may be outdated: what is there now is what is moved, so that is what is sorted.
    const original = await this.#mover.look(source, signal);
    const names =
      this.#config.by === 'owner'
        ? await ownerNames(this.#s3, source, original, signal)
        : await this.#typeNames(source, original, signal);
    const bucket = this.#targetOf(names);
    if (bucket === undefined) {
      this.#log.info({ ...source, names }, 'stays where it is: no target fits');
      return;
    }
    const target = { Bucket: bucket, Key: source.Key };
    await this.#mover.move({ source, original, target, overwrite: this.#config.overwrite }, signal);
  }

  #targetOf(names: readonly string[]): string | undefined {
    const { targets, defaultBucket } = this.#config;
    const name = names.find(candidate => Object.hasOwn(targets, candidate));
    return name === undefined ? defaultBucket : targets[name];
  }

  async #typeNames(
    source: Place,
    { ContentType, ContentLength = 0, ETag }: HeadObjectCommandOutput,
    signal: AbortSignal,
  ): Promise<string[]> {
    const type = declaredType(ContentType) ?? (await this.#sample(source, ContentLength, ETag, signal));
    return type ? typeNames(type) : [];
  }

  async #sample(
    source: Place,
    size: number,
    IfMatch: string | undefined,
    abortSignal: AbortSignal,
  ): Promise<DetectedType | undefined> {
    if (size === 0) return undefined;
    const range = new GetObjectCommand({ ...source, IfMatch, Range: `bytes=0-${SAMPLE_BYTES - 1}` });
    const { Body } = await this.#s3.send(range, { abortSignal });
    const sample = (await Body?.transformToByteArray()) ?? new Uint8Array();
    return sampledType(sample, size <= SAMPLE_BYTES);
  }
}
