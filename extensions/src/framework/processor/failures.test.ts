import assert from 'node:assert/strict';
import test from 'node:test';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { PermanentError } from '../contract/processor-errors.js';
import { AttemptTimeoutError } from './attempt.js';
import { type FailureKind, failureKind } from './failures.js';

const s3 = (name: string, httpStatusCode: number): Error =>
  new S3ServiceException({ name, $fault: 'client', $metadata: { httpStatusCode } });
const coded = (code: string): Error => Object.assign(new Error(code), { code });

const cases: [unknown, FailureKind][] = [
  [s3('NoSuchKey', 404), 'gone'],
  [s3('NoSuchBucket', 404), 'gone'],
  [s3('NoSuchVersion', 404), 'gone'],
  [s3('NotFound', 404), 'absent'],
  [s3('MethodNotAllowed', 405), 'gone'],
  [s3('UnknownError', 404), 'unavailable'],
  [s3('NoSuchTagSet', 404), 'other'],
  [s3('AccessDenied', 403), 'denied'],
  [s3('AllAccessDisabled', 403), 'denied'],
  [s3('403', 403), 'refused'],
  [s3('UnknownError', 403), 'refused'],
  [s3('BadRequest', 400), 'refused'],
  [s3('InvalidAccessKeyId', 403), 'credentials'],
  [s3('SignatureDoesNotMatch', 403), 'credentials'],
  [s3('RequestTimeTooSkewed', 403), 'credentials'],
  [s3('SlowDown', 503), 'throttled'],
  [s3('TooMany', 429), 'throttled'],
  [s3('ServiceUnavailable', 503), 'unavailable'],
  [s3('InternalError', 500), 'unavailable'],
  [s3('BadGateway', 502), 'unavailable'],
  [s3('NotImplemented', 501), 'permanent'],
  [s3('InvalidTag', 400), 'other'],
  [coded('ECONNREFUSED'), 'unavailable'],
  [coded('ECONNRESET'), 'unavailable'],
  [coded('ENOTFOUND'), 'unavailable'],
  [coded('UND_ERR_SOCKET'), 'unavailable'],
  [coded('ENOENT'), 'other'],
  [new AttemptTimeoutError(1, true), 'timeout'],
  [Object.assign(new Error('slow'), { name: 'TimeoutError' }), 'unavailable'],
  [new Error('wrapped', { cause: coded('EPIPE') }), 'unavailable'],
  [new PermanentError('never'), 'permanent'],
  [Object.assign(new Error('of another copy'), { name: 'PermanentError' }), 'permanent'],
  [new Error('anything'), 'other'],
  ['a text', 'other'],
  [undefined, 'other'],
];

test('failures are told apart', () => {
  for (const [err, kind] of cases) assert.equal(failureKind(err), kind, String(err));
});
