/**
 * An entry whose filter kept failing, as a message of the failed topic of its extension. A re-drive gives it to
 * the filter again.
 */
import { messageOf } from '@zenko-modules/common/errors';
import { objectKeyOf } from '../contract/object-event.js';
import type { LogEntry } from '../contract/queue-populator-extension.js';
import type { Outgoing } from './filtering.js';
import { failedTopicOf, type Message, type ReceivedMessage } from '../queue/queue.js';

/** `error-kind` of a parked entry; that of a parked message is a kind of failure of its processor. */
const FILTER_FAILED = 'filter';

export function isParkedEntry({ headers }: ReceivedMessage): boolean {
  return headers['error-kind'] === FILTER_FAILED;
}

/** Where entries and messages of an extension are parked. */
export function failedTopicOfExtension(name: string, topic: string | undefined): string {
  return failedTopicOf(topic ?? name);
}

export function parkedEntry(extension: string, entry: LogEntry, err: unknown, attempts: number): Message {
  return {
    // In order among the parked ones of one object.
    key: encodeURIComponent(`${entry.bucket}/${objectKeyOf(entry.key)}`),
    value: JSON.stringify(entry),
    headers: {
      extension,
      'error-kind': FILTER_FAILED,
      'error-name': err instanceof Error ? err.name : typeof err,
      'error-message': messageOf(err).slice(0, 1000),
      attempts: String(attempts),
      'failed-at': new Date().toISOString(),
    },
  };
}

/** For an entry that no filter can see again: it stays parked. */
export function parkedAsBefore({ topic, key, value, headers }: ReceivedMessage): Promise<Outgoing> {
  return Promise.resolve(new Map([[topic, [{ key, value, headers }]]]));
}
