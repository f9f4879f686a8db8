/** What is kept of a message that keeps failing, in `<topic>-failed`. */
import { messageOf } from '@zenko-modules/common/errors';
import type { Message, ReceivedMessage } from '../queue/queue.js';
import type { FailureKind } from './failures.js';

const MAX_ERROR_TEXT = 2000;

/** Headers that tell of the failure, not of the message. */
export const FAILURE_HEADERS = [
  'extension',
  'error-kind',
  'error-name',
  'error-message',
  'attempts',
  'original-topic',
  'original-offset',
  'published-at',
  'failed-at',
] as const;

export interface Failure {
  readonly extension: string;
  readonly err: unknown;
  readonly kind: FailureKind;
  readonly attempts: number;
}

/** The message with headers that tell of its failure. */
export function parkedMessage(
  message: ReceivedMessage,
  { extension, err, kind, attempts }: Failure,
): Message {
  const ofFailure: Record<(typeof FAILURE_HEADERS)[number], string> = {
    extension,
    'error-kind': kind,
    'error-name': err instanceof Error ? err.name : 'Error',
    'error-message': messageOf(err).slice(0, MAX_ERROR_TEXT),
    attempts: String(attempts),
    'original-topic': message.topic,
    'original-offset': `${message.partition}/${message.offset}`,
    'published-at': new Date(message.timestamp).toISOString(),
    'failed-at': new Date().toISOString(),
  };
  return { key: message.key, value: message.value, headers: { ...message.headers, ...ofFailure } };
}

/** The message as it was before it failed, but for the count of how often it was put back. */
export function withoutFailure({ key, value, headers }: ReceivedMessage): Message {
  const names: readonly string[] = FAILURE_HEADERS;
  const kept = Object.entries(headers).filter(([name]) => !names.includes(name));
  const redriven = String(Number(headers.redriven ?? 0) + 1);
  return { key, value, headers: { ...Object.fromEntries(kept), redriven } };
}
