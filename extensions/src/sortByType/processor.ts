import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '@zenko-modules/common/logger';
import type { ProcessorContext, QueueProcessor } from '../contract/extension.js';
import type { ObjectEvent } from '../contract/object-event.js';
import { parseEntry } from '../contract/queue-populator-extension.js';
import { describeCreation } from '../move/creations.js';
import { COPY_TIMEOUT_MS, ObjectMover, type Place } from '../move/move-object.js';
import type { ReceivedMessage } from '../queue/queue.js';
import type { SortByTypeConfig } from './config.js';
import { declaredType, type DetectedType, SAMPLE_BYTES, sampledType, typeNames } from './object-type.js';

/** Moves an object into the bucket that its type, or its owner, asks for. */
export class SortByTypeProcessor implements QueueProcessor {
  readonly #config: SortByTypeConfig;
  readonly #s3: S3Client;
  readonly #mover: ObjectMover;
  readonly #log: Logger;

  constructor({ config, createS3Client, logger }: ProcessorContext<SortByTypeConfig>) {
    this.#config = config;
    this.#s3 = createS3Client({ requestHandler: { socketTimeout: COPY_TIMEOUT_MS } });
    this.#mover = new ObjectMover(this.#s3, logger);
    this.#log = logger;
  }

  async processEntry(message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    const object = describeCreation(parseEntry(message.value), this.#config.buckets);
    // Published under another configuration: nothing to sort under this one.
    if (!object) return;
    const source = { Bucket: object.bucket, Key: object.objectKey };
    const names = this.#config.by === 'owner' ? ownerNames(object) : await this.#typeNames(source, signal);
    const bucket = this.#targetOf(names);
    if (bucket === undefined) {
      this.#log.info({ ...source, names }, 'stays where it is: no target fits');
      return;
    }
    await this.#mover.move(source, { Bucket: bucket, Key: source.Key }, this.#config.overwrite, signal);
  }

  #targetOf(names: readonly string[]): string | undefined {
    const { targets, defaultBucket } = this.#config;
    const name = names.find(candidate => Object.hasOwn(targets, candidate));
    return name === undefined ? defaultBucket : targets[name];
  }

  async #typeNames(source: Place, abortSignal: AbortSignal): Promise<string[]> {
    const { ContentType, ContentLength = 0 } = await this.#s3.send(new HeadObjectCommand(source), {
      abortSignal,
    });
    const type = declaredType(ContentType) ?? (await this.#sample(source, ContentLength, abortSignal));
    return type ? typeNames(type) : [];
  }

  async #sample(source: Place, size: number, abortSignal: AbortSignal): Promise<DetectedType | undefined> {
    if (size === 0) return undefined;
    const range = new GetObjectCommand({ ...source, Range: `bytes=0-${SAMPLE_BYTES - 1}` });
    const { Body } = await this.#s3.send(range, { abortSignal });
    const sample = (await Body?.transformToByteArray()) ?? new Uint8Array();
    return sampledType(sample, size <= SAMPLE_BYTES);
  }
}

function ownerNames({ value }: ObjectEvent): string[] {
  return [value['owner-id'], value['owner-display-name']].filter(name => name !== undefined);
}
