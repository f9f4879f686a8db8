/**
 * The kinds of failure that a processor tells apart, and what becomes of the message. An error often cannot say
 * whether S3 is away, refuses us, or only has trouble with this message: then S3 is asked (`s3/ask-s3.ts`).
 *
 * | kind | examples | what happens |
 * |---|---|---|
 * | `gone` | NoSuchKey, NoSuchVersion, NoSuchBucket, a delete marker | done: there is nothing left to do |
 * | `absent` | 404 without a name, as of a HEAD | S3 is asked: as `gone`, `credentials` or `unavailable` |
 * | `permanent` | `PermanentError`, a message that is no JSON, NotImplemented | parked at once |
 * | `denied` | AccessDenied | parked at once: someone must change a policy, then re-drive |
 * | `refused` | 400, 401 or 403 without a name, as of a HEAD | S3 is asked: as `denied`, `credentials` or `unavailable` |
 * | `throttled` | SlowDown, 429 | waited for, with growing pauses |
 * | `credentials` | InvalidAccessKeyId, SignatureDoesNotMatch | S3 is asked: when it takes our credentials the attempts count, else it is waited for, as every message would fail; not ready |
 * | `unavailable` | connection refused or lost, time-out, 500 and above | S3 is asked: when it answers the attempts count, else it is waited for; not ready |
 * | `timeout` | an attempt that took longer than PROCESSOR_ATTEMPT_TIMEOUT_MS | parked after PROCESSOR_MAX_ATTEMPTS; not ready until then |
 * | `other` | anything else | parked after PROCESSOR_MAX_ATTEMPTS |
 */
import { isNetworkError } from '@zenko-modules/common/network/network-errors';
import type { S3State } from '../s3/ask-s3.js';

export const FAILURE_KINDS = [
  'gone',
  'permanent',
  'denied',
  'absent',
  'refused',
  'throttled',
  'credentials',
  'unavailable',
  'timeout',
  'other',
] as const;
export type FailureKind = (typeof FAILURE_KINDS)[number];

/**
 * `done`: nothing is left to do. `park`: at once. `count`: another attempt, and parked after the last one.
 * `wait`: another attempt, as many as it takes.
 */
export type Verdict = 'done' | 'park' | 'count' | 'wait';

export interface Judgement {
  readonly kind: FailureKind;
  readonly verdict: Verdict;
}

type AskedKind = 'absent' | 'refused' | 'credentials' | 'unavailable';

/** What the error alone decides. */
const VERDICTS: Readonly<Record<Exclude<FailureKind, AskedKind>, Verdict>> = {
  gone: 'done',
  permanent: 'park',
  denied: 'park',
  throttled: 'wait',
  timeout: 'count',
  other: 'count',
};

const NO_CREDENTIALS: Judgement = { kind: 'credentials', verdict: 'wait' };
const AWAY: Judgement = { kind: 'unavailable', verdict: 'wait' };

/** What S3 decides when it is asked. */
const ASKED_VERDICTS: Readonly<Record<AskedKind, Readonly<Record<S3State, Judgement>>>> = {
  absent: {
    well: { kind: 'gone', verdict: 'done' },
    failing: AWAY,
    away: AWAY,
    credentials: NO_CREDENTIALS,
  },
  refused: {
    well: { kind: 'denied', verdict: 'park' },
    failing: AWAY,
    away: AWAY,
    credentials: NO_CREDENTIALS,
  },
  credentials: {
    well: { kind: 'credentials', verdict: 'count' },
    failing: NO_CREDENTIALS,
    away: NO_CREDENTIALS,
    credentials: NO_CREDENTIALS,
  },
  unavailable: {
    well: { kind: 'unavailable', verdict: 'count' },
    failing: { kind: 'unavailable', verdict: 'count' },
    away: AWAY,
    credentials: NO_CREDENTIALS,
  },
};

/**
 * Keys whose messages are parked one after the other because of what S3 answered, with no success in between: after
 * these it is S3 that cannot work, whatever it says, and not one object after the other. However many messages of one
 * object fail, they tell of that object only.
 */
export const PARKED_IN_A_ROW: Readonly<Record<S3State, number>> = {
  well: 10,
  failing: 1,
  away: 0,
  credentials: 0,
};

/** Whether only S3 can tell what such a failure means. */
export function isForS3ToTell(kind: FailureKind): kind is AskedKind {
  return Object.hasOwn(ASKED_VERDICTS, kind);
}

/** What becomes of a message that failed so. `state` is asked for only when `isForS3ToTell`. */
export function judge(kind: FailureKind, state: S3State): Judgement {
  return isForS3ToTell(kind) ? ASKED_VERDICTS[kind][state] : { kind, verdict: VERDICTS[kind] };
}

const KIND_OF_NAME: Readonly<Record<string, FailureKind>> = {
  PermanentError: 'permanent',
  NotImplemented: 'permanent',
  NoSuchKey: 'gone',
  NoSuchVersion: 'gone',
  NoSuchBucket: 'gone',
  NotFound: 'absent',
  AccessDenied: 'denied',
  InvalidAccessKeyId: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  InvalidToken: 'credentials',
  ExpiredToken: 'credentials',
  AuthorizationHeaderMalformed: 'credentials',
  RequestTimeTooSkewed: 'credentials',
  CredentialsProviderError: 'credentials',
  SlowDown: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequestsException: 'throttled',
  TimeoutError: 'unavailable',
  AttemptTimeoutError: 'timeout',
};

/** The names of errors of which S3, in an answer without a body, said the status only. */
const NAMELESS = /^(Unknown(Error)?|Error|[45]\d\d|BadRequest|Unauthorized|Forbidden)$/;

interface ErrorParts {
  readonly name?: unknown;
  readonly cause?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** The kind of anything that an extension rejected with. */
export function failureKind(err: unknown): FailureKind {
  if (typeof err !== 'object' || err === null) return 'other';
  const { name, cause, $metadata } = err as ErrorParts;
  const byName =
    typeof name === 'string' && Object.hasOwn(KIND_OF_NAME, name) ? KIND_OF_NAME[name] : undefined;
  if (byName) return byName;
  const status = $metadata?.httpStatusCode ?? 0;
  if (status === 429) return 'throttled';
  // That of another server, such as one before S3.
  if (status === 404 && (typeof name !== 'string' || NAMELESS.test(name))) return 'unavailable';
  // What S3 answers for the version that is a delete marker.
  if (status === 405 && name === 'MethodNotAllowed') return 'gone';
  if (status === 400 || status === 401 || status === 403) {
    if (typeof name !== 'string' || NAMELESS.test(name)) return 'refused';
    if (status !== 400) return 'denied';
  }
  if (status >= 500) return 'unavailable';
  if (isNetworkError(err)) return 'unavailable';
  return cause === undefined ? 'other' : failureKind(cause);
}
