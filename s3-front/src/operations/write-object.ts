/**
 * The one way in which the front changes what a key stands for. A key has one writer at a time, so that no
 * change is made from a value that another has replaced; data goes only after nothing refers to it any more.
 */
import { CatalogueError, toCatalogueError } from '@zenko-modules/common/errors';
import type { BucketAttributes } from '../bucket-attributes.js';
import { surelyNotMade } from '../metadata-client.js';
import { isFileLocation, type Location, type ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { findWritableBucket } from './find-bucket.js';
import type { Front, S3Request } from './operation.js';
import { planWrite, type WritePlan } from './write-plan.js';

/** The bucket and the current value of a key while its writer holds it. */
export interface Held {
  readonly bucket: BucketAttributes;
  /** As stored, a delete marker too. */
  readonly current: ObjectValue | undefined;
}

/** Runs `work` as the one writer of a key in a bucket that is there and stays there. */
export function holdObject<T>(
  front: Front,
  request: S3Request,
  key: string,
  work: (held: Held) => Promise<T>,
): Promise<T> {
  const { locks, metadata } = front;
  return locks.shared(request.bucket, () =>
    locks.exclusive(`${request.bucket}/${key}`, async () => {
      const bucket = await findWritableBucket(front, request);
      const current = await metadata.getObject(request.bucket, key, {}, request.reqUids);
      return work({ bucket, current });
    }),
  );
}

/**
 * Makes a value the current one of its key. Resolves with the data that is free now; once the new value is
 * stored nothing rejects any more.
 * @param build the value, given the members that the bucket's versioning adds
 */
export async function putCurrent(
  front: Front,
  request: S3Request,
  key: string,
  { bucket, current }: Held,
  build: (members: WritePlan['members']) => ObjectValue,
): Promise<readonly Location[]> {
  const { metadata } = front;
  const { bucket: name, reqUids } = request;
  const plan = planWrite(bucket.versioningConfiguration, current);
  const value = build(plan.members);
  refuseForeignData(plan.freed);
  if (plan.keepNullAs !== undefined && current) {
    const versionId = plan.keepNullAs;
    await metadata.updateObject(name, key, { ...current, versionId, isNull: true }, { versionId }, reqUids);
  }
  const replaced = await lookUpReplaced(front, request, key, plan);
  const options = { ...plan.putOptions, ...(replaced.byPut ? { deleteNullKey: true as const } : {}) };
  try {
    await metadata.putObject(name, key, value, options, reqUids);
  } catch (err) {
    throw surelyNotMade(err) ? err : new UncertainWriteError(toCatalogueError(err));
  }
  if (replaced.drop !== undefined && !(await dropVersion(front, request, key, replaced.drop))) return [];
  return unreferenced([...plan.freed, ...replaced.freed], value);
}

interface ReplacedNull {
  readonly freed: readonly Location[];
  /** The put itself deletes it. */
  readonly byPut: boolean;
  /** The version to delete after the put. */
  readonly drop: string | undefined;
}

/** The null version that the new value takes the place of: CloudServer deletes it before, which loses it when the put fails. */
async function lookUpReplaced(
  { metadata }: Front,
  { bucket, reqUids }: S3Request,
  key: string,
  { replaceNull }: WritePlan,
): Promise<ReplacedNull> {
  if (!replaceNull) return { freed: [], byPut: false, drop: undefined };
  const { versionId, isCurrent } = replaceNull;
  if (isCurrent) return { freed: [], byPut: false, drop: versionId };
  const found = await metadata.getObject(bucket, key, { versionId, deleteData: true }, reqUids);
  const freed = found?.location ?? [];
  refuseForeignData(freed);
  const byPut = versionId === 'null';
  return { freed, byPut: byPut && found !== undefined, drop: byPut ? undefined : versionId };
}

async function dropVersion(
  { metadata }: Front,
  { bucket, reqUids, log }: S3Request,
  key: string,
  versionId: string,
): Promise<boolean> {
  try {
    await metadata.dropVersion(bucket, key, versionId, reqUids);
    return true;
  } catch (err) {
    log.warn({ err, bucket, key, versionId }, 'the null version that was replaced could not be deleted');
    return false;
  }
}

/** Data that CloudServer keeps elsewhere cannot be removed from here, so what refers to it must stay. */
export function refuseForeignData(locations: readonly Location[]): void {
  if (!locations.every(isFileLocation)) {
    throw new S3Error('NotImplemented', 'The data of this object is not in the data module: use CloudServer');
  }
}

function unreferenced(freed: readonly Location[], value: ObjectValue): Location[] {
  const referenced = new Set((value.location ?? []).map(({ key }) => key));
  return freed.filter(({ key }) => !referenced.has(key));
}

/** Removes data that nothing refers to. What cannot be removed is logged and costs space, no more. */
export async function removeData(
  { data }: Front,
  { reqUids, log }: S3Request,
  locations: readonly Location[],
): Promise<void> {
  const left = locations.map(({ key }) => key);
  try {
    for (let key = left[0]; key !== undefined; key = left[0]) {
      await data.delete(key, reqUids);
      left.shift();
    }
  } catch (err) {
    // The others would fail as well, and the client waits.
    log.warn({ err, dataKeys: left }, 'data that nothing refers to could not be deleted');
  }
}

/** The error of a call after which a value may have been stored, or be stored yet. */
class UncertainWriteError extends CatalogueError {
  constructor(cause: CatalogueError) {
    super(cause.type, cause.message, { cause });
  }
}

/**
 * Runs `store` for data that has just been written. When it fails, the data is removed again, unless an
 * object may refer to it all the same: then it stays.
 */
export async function withNewData<T>(
  front: Front,
  request: S3Request,
  locations: readonly Location[],
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
