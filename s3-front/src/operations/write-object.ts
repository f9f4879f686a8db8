/**
 * The one way in which the front changes what a key stands for. A key has one writer at a time, so that no
 * change is made from a value that another has replaced; data goes only after nothing refers to it any more.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType, toCatalogueError } from '@zenko-modules/common/errors';
import type { BucketAttributes } from '../bucket-attributes.js';
import { type StoredEntry, surelyNotMade } from '../metadata-client.js';
import { isFileLocation, type Location, type ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { usable, writable } from './find-bucket.js';
import { findKeptNulls, type KeptNull } from './find-version.js';
import type { Front, S3Request } from './operation.js';
import { encodeVersionId, NULL_VERSION } from '../version-id.js';
import { planWrite, type WritePlan } from './write-plan.js';

/** The bucket and the current value of a key while its writer holds it. */
export interface Held {
  readonly bucket: BucketAttributes;
  /** As stored, a delete marker too. */
  readonly current: ObjectValue | undefined;
}

/** How often a key is read anew when somebody else, such as another front, writes it at the same time. */
const MAX_TRIES = 10;
/** Fronts that meet again and again part by pauses of different lengths, which grow up to this for each try. */
const PAUSE_MS = 5;

/**
 * Runs `work` as the one writer of a key in a bucket that is there and stays there. Where it finds the key changed all the same
 * (`changedMeanwhile`), it is run again with what is there now.
 */
export function holdObject<T>(
  front: Front,
  request: S3Request,
  key: string,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  const { locks, metadata } = front;
  return locks.shared(request.bucket, () =>
    locks.exclusive(`${request.bucket}/${key}`, async () => {
      for (let tries = 1; ; tries += 1) {
        const [bucket, current] = await metadata.getBucketAndObject(request.bucket, key, {}, request.reqUids);
        try {
          return await work({ bucket: writable(usable(bucket, request)), current });
        } catch (err) {
          if (!(err instanceof ChangedMeanwhileError) || tries === MAX_TRIES) throw err;
        }
        await sleep(Math.random() * PAUSE_MS * tries);
      }
    }),
  );
}

/** What came of storing a value. */
export interface Stored {
  /** Data that nothing refers to any more. */
  readonly freed: readonly Location[];
  /** As clients see it; `undefined` where the bucket has no versioning. */
  readonly versionId: string | undefined;
}

/**
 * Makes a value the current one of its key. Once the new value is stored nothing rejects any more. A put that comes late,
 * after the key was written anew, stores nothing.
 * @param build the value, given the members that the bucket's versioning adds
 * @param ifEntry nothing is stored unless this is stored still
 * @throws S3Error `changedMeanwhile`
 */
export async function putCurrent(
  front: Front,
  request: S3Request,
  key: string,
  { bucket, current }: Held,
  build: (members: WritePlan['members']) => ObjectValue,
  { ifEntry }: { readonly ifEntry?: StoredEntry } = {},
): Promise<Stored> {
  const { metadata } = front;
  const { bucket: name, reqUids } = request;
  const plan = planWrite(bucket.versioningConfiguration, current);
  // CloudServer deletes it before the put, which loses it when the put fails.
  const replaced = await findKeptNulls(front, request, key, plan.replaceNull ?? []);
  const freed = [...plan.freed, ...replaced.flatMap(({ value: { location } }) => location ?? [])];
  refuseForeignData(freed);
  const toDrop = replaced.filter(({ versionId }) => versionId !== NULL_VERSION);
  // Named until it is gone, for whoever changes the null version next: this front may not come to delete it.
  const [left] = toDrop;
  const value = build(left ? { ...plan.members, nullVersionId: left.versionId } : plan.members);
  let seen = current;
  if (plan.keepNullAs !== undefined && current) {
    const versionId = plan.keepNullAs;
    const to = { ...current, versionId, isNull: true };
    const update = { current, from: current, to, storedAs: { versionId } };
    if (!(await metadata.updateObject(name, key, update, reqUids))) throw changedMeanwhile();
    seen = to;
  }
  const options = {
    ...plan.putOptions,
    ...(toDrop.length < replaced.length ? { deleteNullKey: true as const } : {}),
    ...(value.uploadId === undefined ? {} : { replayId: value.uploadId }),
  };
  const conditions = { current: seen, entry: ifEntry };
  const id = await storing(() => metadata.putObject(name, key, value, options, reqUids, conditions)).catch(
    (err: unknown) => {
      throw isErrorType(err, 'PreconditionFailed') ? changedMeanwhile() : err;
    },
  );
  const versionId = shownVersionId(bucket, id);
  const kept = await dropKeptNulls(front, request, key, toDrop);
  return { freed: unreferenced(freed, [value, ...kept]), versionId };
}

class ChangedMeanwhileError extends S3Error {
  constructor() {
    super('SlowDown', 'The object has just changed; please try again');
  }
}

/** Somebody else, such as another front, has written the key since it was read. Nothing was changed. */
export function changedMeanwhile(): S3Error {
  return new ChangedMeanwhileError();
}

function shownVersionId(
  { versioningConfiguration }: BucketAttributes,
  id: string | undefined,
): string | undefined {
  if (versioningConfiguration === null) return undefined;
  return versioningConfiguration.Status === 'Suspended' || id === undefined
    ? NULL_VERSION
    : encodeVersionId(id);
}

/** The id of a stored version, as clients see it. */
export function versionIdOf(
  { versioningConfiguration }: BucketAttributes,
  { versionId, isNull }: ObjectValue,
): string | undefined {
  if (versioningConfiguration === null) return undefined;
  return versionId === undefined || isNull === true ? NULL_VERSION : encodeVersionId(versionId);
}

/** The header that names the version that an answer is about. */
export function versionHeader(versionId: string | undefined): Record<string, string> {
  return versionId === undefined ? {} : { 'x-amz-version-id': versionId };
}

/** Deletes null versions that another took the place of, the last first, as each names the next. Resolves with those that stay. */
export async function dropKeptNulls(
  front: Front,
  request: S3Request,
  key: string,
  versions: readonly KeptNull[],
): Promise<readonly ObjectValue[]> {
  let count = versions.length;
  for (const { versionId } of versions.toReversed()) {
    if (!(await dropVersion(front, request, key, versionId))) break;
    count -= 1;
  }
  return versions.slice(0, count).map(({ value }) => value);
}

/** Resolves with whether it is gone. What cannot be deleted is logged. */
export async function dropVersion(
  { metadata }: Front,
  { bucket, reqUids, log }: S3Request,
  key: string,
  versionId: string,
): Promise<boolean> {
  try {
    await metadata.dropVersion(bucket, key, versionId, reqUids);
    return true;
  } catch (err) {
    log.warn({ err, bucket, key, versionId }, 'a version that was replaced could not be deleted');
    return false;
  }
}

/** Data that CloudServer keeps elsewhere cannot be removed from here, so what refers to it must stay. */
export function refuseForeignData(locations: readonly Location[]): void {
  if (!locations.every(isFileLocation)) {
    throw new S3Error('NotImplemented', 'The data of this object is not in the data module: use CloudServer');
  }
}

/** What of these locations none of the values has, each once. */
export function unreferenced(
  locations: readonly Location[],
  values: readonly Pick<ObjectValue, 'location'>[],
): Location[] {
  const referenced = new Set(values.flatMap(({ location }) => (location ?? []).map(({ key }) => key)));
  const free = locations.filter(({ key }) => !referenced.has(key));
  return [...new Map(free.map(location => [location.key, location])).values()];
}

/** Removes data that nothing refers to, or has it removed when it has been read. What cannot be is logged and costs space, no more. */
export async function removeData(
  { replaced }: Pick<Front, 'replaced'>,
  { reqUids, log }: Pick<S3Request, 'reqUids' | 'log'>,
  locations: readonly { readonly key: string }[],
): Promise<void> {
  try {
    await replaced.removeNow(locations, reqUids);
  } catch (err) {
    const dataKeys = locations.map(({ key }) => key);
    log.warn({ err, dataKeys }, 'data that nothing refers to could not be deleted');
  }
}

/** The error of a call after which a value may have been stored, or be stored yet. */
class UncertainWriteError extends CatalogueError {
  constructor(cause: CatalogueError) {
    super(cause.type, cause.message, { cause });
  }
}

/** Runs the call that stores what refers to new data, and tells an error after which it may have been made. */
export async function storing<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (err) {
    throw surelyNotMade(err) ? err : new UncertainWriteError(toCatalogueError(err));
  }
}

/**
 * Runs `store` for data that has just been written. When it fails, the data is removed again, unless an
 * object may refer to it all the same: then it stays.
 */
export async function withNewData<T>(
  front: Front,
  request: S3Request,
  locations: readonly { readonly key: string }[],
  store: () => Promise<T>,
): Promise<T> {
  try {
    return await store();
  } catch (err) {
    if (!(err instanceof UncertainWriteError)) {
      await removeData(front, request, locations);
      throw err;
    }
    const dataKeys = locations.map(({ key }) => key);
    request.log.warn({ dataKeys }, 'data stays, for its object may have been stored');
    throw err;
  }
}
