import { describeObject, objectKeyOf } from '../../framework/contract/object-event.js';
import {
  type LogEntry,
  QueuePopulatorExtension,
} from '../../framework/contract/queue-populator-extension.js';
import type { HelloWorldConfig } from './config.js';
import { HELLO_TAG } from './tag.js';

/**
 * Publishes each written object whose key is "helloworld" in any case and that does not have the tag yet,
 * so that the tagging, a change itself, is not published again.
 */
export class HelloWorldPopulator extends QueuePopulatorExtension<HelloWorldConfig> {
  filter(entry: LogEntry): void {
    // Only the values of these are parsed: a log holds millions of others.
    if (objectKeyOf(entry.key).toLowerCase() !== 'helloworld') return;
    const object = describeObject(entry);
    if (!object || object.value.tags?.[HELLO_TAG.Key] === HELLO_TAG.Value) return;
    this.publish(this.extConfig.topic, `${entry.bucket}/${object.objectKey}`, JSON.stringify(entry));
  }
}
