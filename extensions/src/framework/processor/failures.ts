/**
 * The kinds of failure that a processor tells apart, and what becomes of the message.
 *
 * | kind | examples | what happens |
 * |---|---|---|
 * | `gone` | NoSuchKey, NoSuchVersion, NoSuchBucket, a delete marker | done: there is nothing left to do |
 * | `permanent` | `PermanentError`, a message that is no JSON, NotImplemented | parked at once |
 * | `denied` | AccessDenied | parked at once: someone must change a policy, then re-drive |
 * | `credentials` | InvalidAccessKeyId, SignatureDoesNotMatch | waited for, as every message would fail; not ready |
 * | `throttled` | SlowDown, 429 | waited for, with growing pauses |
 * | `unavailable` | connection refused or lost, time-out, 500 and above | waited for, not ready; an attempt counts only when another message succeeded since the one before it, that is when S3 is there and this message is what fails |
 * | `other` | anything else | parked after PROCESSOR_MAX_ATTEMPTS |
 */
export const FAILURE_KINDS = [
  'gone',
  'permanent',
  'denied',
  'credentials',
  'throttled',
  'unavailable',
  'other',
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

const KIND_OF_NAME: Readonly<Record<string, FailureKind>> = {
  PermanentError: 'permanent',
  NotImplemented: 'permanent',
  NoSuchKey: 'gone',
  NoSuchVersion: 'gone',
  NoSuchBucket: 'gone',
  NotFound: 'gone',
  AccessDenied: 'denied',
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  ExpiredToken: 'credentials',
  RequestTimeTooSkewed: 'credentials',
  CredentialsProviderError: 'credentials',
  SlowDown: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequestsException: 'throttled',
  TimeoutError: 'unavailable',
};

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** True for what is the matter with S3, not with the message. */
export function isWaitedFor(kind: FailureKind): boolean {
  return kind === 'unavailable' || kind === 'credentials' || kind === 'throttled';
}

interface ErrorParts {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The kind of anything that an extension rejected with. */
export function failureKind(err: unknown): FailureKind {
  if (typeof err !== 'object' || err === null) return 'other';
  const { name, code, cause, $metadata } = err as ErrorParts;
  const byName =
    typeof name === 'string' && Object.hasOwn(KIND_OF_NAME, name) ? KIND_OF_NAME[name] : undefined;
  if (byName) return byName;
  const status = $metadata?.httpStatusCode ?? 0;
  if (status === 429) return 'throttled';
  // What S3 answers for the version that is a delete marker. A 404 without a name of S3 may be another server's.
  if (status === 405 && name === 'MethodNotAllowed') return 'gone';
  if (status === 403) return 'denied';
  if (status >= 500) return 'unavailable';
  if (typeof code === 'string' && NETWORK_CODES.has(code)) return 'unavailable';
  return cause === undefined ? 'other' : failureKind(cause);
}
