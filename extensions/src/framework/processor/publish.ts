/** What a processor publishes. */
import type { Publish } from '../contract/extension.js';
import { PermanentError } from '../contract/processor-errors.js';
import type { ProcessorMetrics } from '../extension-metrics.js';
import { type Message, type Queue, QueueError, type QueueErrorCode } from '../queue/queue.js';

/** Publishing such a message again cannot help. */
const PERMANENT: readonly QueueErrorCode[] = ['INVALID_TOPIC', 'MESSAGE_TOO_LARGE'];

/** `ProcessorContext.publish`, on a queue. */
export function createPublish(queue: Pick<Queue, 'publish'>, metrics?: ProcessorMetrics): Publish {
  return async (topic, key, message) => {
    const published = toMessage(topic, key, message);
    try {
      await queue.publish(topic, [published]);
    } catch (err) {
      if (err instanceof QueueError && PERMANENT.includes(err.code)) {
        throw new PermanentError(err.message, { cause: err });
      }
      throw err;
    }
    metrics?.published.inc({ topic });
  };
}

function toMessage(topic: unknown, key: unknown, message: unknown): Message {
  for (const [name, value] of Object.entries({ topic, key, message })) {
    if (typeof value !== 'string') {
      throw new PermanentError(`publish: ${name}: expected a text, got ${typeof value}`);
    }
  }
  return { key: encodeURIComponent(String(key)), value: String(message) };
}
