/**
 * What is parked in the place of a message that is larger than the queue takes: where the event is in the record
 * log, and which object it tells of. A re-drive leaves it where it is, as there is nothing to put back.
 */
import { messageOf } from '@zenko-modules/common/errors';
import { encodeVersionId, objectKeyOf } from '../contract/object-event.js';
import { type Message, QueueError, type ReceivedMessage } from './queue.js';

/** `error-kind` of it. */
const TOO_LARGE = 'too-large';
/** Of each text in it, so that it is small whatever the message is. */
const MAX_TEXT = 4096;

/** The entry of the record log that gave rise to a message. */
export interface Origin {
  /** Its number in the log. */
  readonly seq?: number;
  readonly bucket: string;
  /** As in `LogEntry`. */
  readonly key: string;
}

export interface TooLarge {
  readonly extension: string;
  /** That refused it. */
  readonly topic: string;
  readonly origin?: Origin | undefined;
  readonly err: unknown;
}

export function isTooLarge(err: unknown): boolean {
  return err instanceof QueueError && err.code === 'MESSAGE_TOO_LARGE';
}

/**
 * Its value is JSON: `{ topic, bucket, key, versionId, seq, messageKey, bytes, reason }`, without what is not known.
 */
export function standInFor({ key, value }: Message, { extension, topic, origin, err }: TooLarge): Message {
  const reason = cut(messageOf(err));
  const messageKey = cut(key);
  const object = origin && {
    bucket: cut(origin.bucket),
    key: cut(objectKeyOf(origin.key)),
    versionId: versionIdIn(origin.key),
    seq: origin.seq,
  };
  return {
    key: messageKey,
    value: JSON.stringify({ topic, ...object, messageKey, bytes: Buffer.byteLength(value), reason }),
    headers: {
      extension,
      'error-kind': TOO_LARGE,
      'error-name': err instanceof Error ? err.name : 'Error',
      'error-message': reason,
      attempts: '1',
      'original-topic': topic,
      'failed-at': new Date().toISOString(),
    },
  };
}

export function isStandIn({ headers }: ReceivedMessage): boolean {
  return headers['error-kind'] === TOO_LARGE;
}

/** As S3 takes it; `undefined` where the key is not that of a version. */
function versionIdIn(key: string): string | undefined {
  const separator = key.indexOf('\0');
  if (separator === -1) return undefined;
  return cut(encodeVersionId(key.slice(separator + 1)) || 'null');
}

function cut(text: string): string {
  return text.slice(0, MAX_TEXT);
}
