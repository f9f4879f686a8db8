import type { Logger } from '@zenko-modules/common/logger';
import type { ProcessorContext, QueueProcessor } from '../../framework/contract/extension.js';
import { describeObject } from '../../framework/contract/object-event.js';
import { PermanentError } from '../../framework/contract/processor-errors.js';
import { parseEntry } from '../../framework/contract/queue-populator-extension.js';
import type { ReceivedMessage } from '../../framework/queue/queue.js';
import { TaggingClient } from '../../framework/s3/tagging-client.js';
import type { HelloWorldConfig } from './config.js';
import { HELLO_TAG } from './tag.js';

/** S3 takes no more tags on an object. */
const MAX_TAGS = 10;

/**
 * Tags the object, or the version of it, that the entry tells of. Tags that it has are kept; one that has
 * the tag is left alone. S3 cannot change tags conditionally: a tag that someone else sets between our read
 * and our write is lost, as with every S3 client.
 */
export class HelloWorldProcessor implements QueueProcessor {
  readonly #tagging: TaggingClient;
  readonly #log: Logger;

  constructor({ createS3Client, logger }: ProcessorContext<HelloWorldConfig>) {
    this.#tagging = new TaggingClient(createS3Client());
    this.#log = logger;
  }

  async processEntry(message: ReceivedMessage, abortSignal: AbortSignal): Promise<string> {
    const entry = parseEntry(message.value);
    const object = describeObject(entry);
    if (!object) throw new PermanentError('the message tells of no object');
    const target = {
      Bucket: object.bucket,
      Key: object.objectKey,
      ...(object.versionId !== undefined && { VersionId: object.versionId }),
    };
    const tags = await this.#tagging.get(target, { abortSignal });
    if (tags.some(({ Key, Value }) => Key === HELLO_TAG.Key && Value === HELLO_TAG.Value)) {
      this.#log.debug(target, 'has the tag already');
      return 'nothing: it has the tag';
    }
    const others = tags.filter(({ Key }) => Key !== HELLO_TAG.Key);
    if (others.length >= MAX_TAGS) {
      throw new PermanentError(
        `${target.Bucket}/${target.Key} has ${others.length} tags, and S3 allows no more than ${MAX_TAGS}`,
      );
    }
    await this.#tagging.put(target, [...others, HELLO_TAG], { abortSignal });
    this.#log.info({ ...target, reqUids: entry.reqUids }, 'tagged');
    return `tagged ${HELLO_TAG.Key}=${HELLO_TAG.Value}`;
  }
}
