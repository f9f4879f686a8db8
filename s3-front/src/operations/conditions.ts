/** Conditional requests: `If-Match` and its kin, for what is asked and for the source of a copy. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';

interface Conditions {
  readonly match: string | undefined;
  readonly noneMatch: string | undefined;
  readonly modifiedSince: string | undefined;
  readonly unmodifiedSince: string | undefined;
}

/** @throws S3Error PreconditionFailed; NotModified when a condition says that the client has this already */
export function checkReadConditions(headers: IncomingHttpHeaders, object: ObjectValue): void {
  const failed = failedCondition(
    {
      match: headers['if-match'],
      noneMatch: headers['if-none-match'],
      modifiedSince: headers['if-modified-since'],
      unmodifiedSince: headers['if-unmodified-since'],
    },
    object,
  );
  if (failed === undefined) return;
  if (failed.startsWith('un') || failed === 'match') throw new S3Error('PreconditionFailed');
  throw new S3Error('NotModified', undefined, {
    headers: { etag: etagOf(object), 'last-modified': lastModifiedOf(object) },
  });
}

/** @throws S3Error PreconditionFailed */
export function checkCopySourceConditions(headers: IncomingHttpHeaders, source: ObjectValue): void {
  const header = (name: string): string | undefined => {
    const value = headers[`x-amz-copy-source-if-${name}`];
    return typeof value === 'string' ? value : undefined;
  };
  const failed = failedCondition(
    {
      match: header('match'),
      noneMatch: header('none-match'),
      modifiedSince: header('modified-since'),
      unmodifiedSince: header('unmodified-since'),
    },
    source,
  );
  if (failed !== undefined) throw new S3Error('PreconditionFailed');
}

/**
 * For writes: `If-None-Match: *` wants no object there, `If-Match` a certain one.
 * @param current the object that would be replaced
 * @throws S3Error PreconditionFailed, NoSuchKey, NotImplemented
 */
export function checkWriteConditions(headers: IncomingHttpHeaders, current: ObjectValue | undefined): void {
  const { 'if-match': match, 'if-none-match': noneMatch } = headers;
  if (noneMatch !== undefined) {
    if (noneMatch !== '*') throw new S3Error('NotImplemented', 'If-None-Match of a write must be *');
    if (current) throw new S3Error('PreconditionFailed');
  }
  if (match !== undefined) {
    if (!current) throw new S3Error('NoSuchKey');
    if (!matches(match, current)) throw new S3Error('PreconditionFailed');
  }
}

/** `If-Range`: whether the range is asked of the object as it is now. */
export function rangeStillHolds(ifRange: string | undefined, object: ObjectValue): boolean {
  if (ifRange === undefined) return true;
  if (ifRange.startsWith('"')) return ifRange === etagOf(object);
  return secondsOf(ifRange) === Math.floor(Date.parse(object['last-modified']) / 1000);
}

export function etagOf(object: Pick<ObjectValue, 'content-md5'>): string {
  return `"${object['content-md5']}"`;
}

/** In the form of HTTP, which counts in seconds. */
export function lastModifiedOf(object: ObjectValue): string {
  return new Date(object['last-modified']).toUTCString();
}

/** In the order and with the precedence of RFC 9110, section 13.2.2. A date that cannot be read is no condition. */
function failedCondition(conditions: Conditions, object: ObjectValue): keyof Conditions | undefined {
  const modified = Math.floor(Date.parse(object['last-modified']) / 1000);
  if (conditions.match !== undefined) {
    if (!matches(conditions.match, object)) return 'match';
  } else {
    const since = secondsOf(conditions.unmodifiedSince);
    if (since !== undefined && modified > since) return 'unmodifiedSince';
  }
  if (conditions.noneMatch !== undefined) {
    if (matches(conditions.noneMatch, object)) return 'noneMatch';
  } else {
    const since = secondsOf(conditions.modifiedSince);
    if (since !== undefined && modified <= since) return 'modifiedSince';
  }
  return undefined;
}

/** Whether a list of entity tags names the object. S3 takes tags without quotes too. */
function matches(tags: string, object: ObjectValue): boolean {
  return tags
    .split(',')
    .map(tag => tag.trim().replace(/^W\//, '').replace(/^"|"$/g, ''))
    .some(tag => tag === '*' || tag === object['content-md5']);
}

function secondsOf(date: string | undefined): number | undefined {
  const time = date === undefined ? Number.NaN : Date.parse(date);
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}
