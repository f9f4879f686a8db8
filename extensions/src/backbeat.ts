/**
 * What extensions written for Backbeat need of it: `require('@zenko-modules/extensions/backbeat')` instead of a
 * path into Backbeat's folders.
 */
export { QueuePopulatorExtension } from './framework/contract/queue-populator-extension.js';
export { PermanentError } from './framework/contract/processor-errors.js';
export { describeObject } from './framework/contract/object-event.js';
export { parseEntry } from './framework/contract/queue-populator-extension.js';
export { getAccountCredentials } from './framework/backbeat/account-credentials.js';
export { BackbeatConsumer } from './framework/backbeat/backbeat-consumer.js';
export { BackbeatProducer } from './framework/backbeat/backbeat-producer.js';
export { DeleteOpQueueEntry, ObjectQueueEntry, QueueEntry } from './framework/backbeat/queue-entries.js';
export * as configItems from './framework/backbeat/config-joi.js';
export { constants } from './framework/backbeat/constants.js';
