/**
 * What an entry of the record log says about an object. One call of a client can write several keys: the
 * master `<key>`, the version `<key>\0<version id>` and the null version `<key>\0`. This makes one event of them:
 * - a version is told by its version key; its master, a copy, is passed over, also when it is repaired;
 * - an object without versions, and the current null version of a bucket whose versioning is suspended, is
 *   told by its master;
 * - a null version that is no longer current is told by its own key, but not when it only moves there
 *   because a new version took its place. A move of one whose last change was not its creation cannot be
 *   told from a change, and gives an event more.
 */
import { messageOf } from '@zenko-modules/common/errors';
import { PermanentError } from './processor-errors.js';
import type { LogEntry } from './queue-populator-extension.js';

/** What CloudServer stores of an object, as far as extensions need it. */
export interface ObjectValue {
  readonly 'content-length'?: number;
  readonly 'content-type'?: string;
  readonly 'content-md5'?: string;
  readonly 'last-modified'?: string;
  readonly 'owner-id'?: string;
  readonly 'owner-display-name'?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly versionId?: string;
  readonly isNull?: boolean;
  readonly isDeleteMarker?: boolean;
  readonly isPHD?: boolean;
  readonly originOp?: string;
  readonly [name: string]: unknown;
}

/** An object, or a version of one, that was written. */
export interface ObjectEvent {
  readonly bucket: string;
  readonly objectKey: string;
  /** As S3 takes it: `null` for a null version, `undefined` in a bucket without versions. */
  readonly versionId: string | undefined;
  readonly value: ObjectValue;
}

/** The databases that are no buckets of a client. */
export function isSystemDatabase(name: string): boolean {
  return name.startsWith('mpuShadowBucket') || name.startsWith('__') || name.includes('..');
}

/** The object key in a database key. */
export function objectKeyOf(key: string): string {
  const separator = key.indexOf('\0');
  return separator === -1 ? key : key.slice(0, separator);
}

/** A version id as CloudServer's S3 takes it: hex, where its longer and its newer forms are both read. */
export function encodeVersionId(versionId: string): string {
  return Buffer.from(versionId, 'utf8').toString('hex');
}

/**
 * The object that an entry tells of; `undefined` for deletions, delete markers, place holders, system
 * databases, and second tellings of one change. @throws PermanentError when the value is no JSON object.
 */
export function describeObject({ type, bucket, key, value }: LogEntry): ObjectEvent | undefined {
  if (type !== 'put' || isSystemDatabase(bucket)) return undefined;
  const object = parseObjectValue(value);
  if (object.isDeleteMarker === true || object.isPHD === true) return undefined;
  const objectKey = objectKeyOf(key);
  const isMaster = objectKey.length === key.length;
  const isVersion = Boolean(object.versionId) && object.isNull !== true;
  if (isVersion && object.versionId !== undefined) {
    if (isMaster) return undefined;
    return { bucket, objectKey, versionId: encodeVersionId(object.versionId), value: object };
  }
  if (!isMaster && (object.originOp ?? '').startsWith('s3:ObjectCreated:')) return undefined;
  const versionId = object.isNull === true || !isMaster ? 'null' : undefined;
  return { bucket, objectKey, versionId, value: object };
}

/** @throws PermanentError when it is no JSON object: what the log holds does not change */
export function parseObjectValue(value: string | undefined): ObjectValue {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value ?? '');
  } catch (err) {
    throw new PermanentError(`an object value is a JSON object: ${messageOf(err)}`, { cause: err });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new PermanentError('an object value is a JSON object');
  return parsed as ObjectValue;
}
