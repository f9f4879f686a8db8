/** The bytes of an object, from all the blobs that hold them. */
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import type { ByteRange, ByteSource } from '../byte-source.js';
import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { type Stretch, stretchesOf } from './byte-range.js';
import { findObject, type FoundObject, type ObjectName } from './find-object.js';
import type { Front, S3Request } from './operation.js';
import { refuseForeignData } from './write-object.js';

/** How often an object is looked up again when it was replaced between looking it up and reading its data. */
export const MAX_LOOKUPS = 5;

export interface OpenedData<T> extends FoundObject {
  /** What `choose` said about it. */
  readonly choice: T;
  /** The caller closes it. */
  readonly bytes: ByteSource;
}

/**
 * Looks an object up and opens its data. An object that is replaced in between loses its data: then the one
 * in its place is opened. Once it is open,
 * whoever replaces or deletes it here leaves its data until the bytes are closed.
 * @param choose checks the object and says which range of it to read; called again for each look-up
 */
export async function openObject<T extends { readonly range: ByteRange | undefined }>(
  front: Front,
  request: S3Request,
  name: ObjectName,
  choose: (object: ObjectValue, versionId: string | undefined) => T,
): Promise<OpenedData<T>> {
  for (let lookup = 1; ; lookup += 1) {
    const found = await findObject(front, request, name);
    const { object, versionId } = found;
    const choice = choose(object, versionId);
    const stretches = stretchesOf(locationsOf(object), choice.range);
    // Its blobs are opened one after the other, as they are read.
    const letGo = front.replaced.keepWhileRead(stretches.map(({ location }) => location));
    try {
      if (!letGo) throw new CatalogueError('ObjNotFound', 'the data of this object is being deleted');
      return { ...found, choice, bytes: await openStretches(front, request, stretches, letGo) };
    } catch (err) {
      letGo?.();
      if (!isErrorType(err, 'ObjNotFound') || lookup === MAX_LOOKUPS) throw err;
    }
  }
}

/** The blobs of an object, which must cover it without a gap. @throws S3Error NotImplemented, InternalError */
export function locationsOf(object: ObjectValue) {
  const locations = object.location ?? [];
  refuseForeignData(locations);
  const size = locations.reduce((sum, location) => {
    if (location.start !== sum) throw new S3Error('InternalError', 'The stored locations have a gap');
    return sum + location.size;
  }, 0);
  if (size !== object['content-length']) {
    throw new S3Error('InternalError', 'The stored locations do not have the size of the object');
  }
  return locations;
}

/** Opens the first stretch before it resolves, so that what cannot be read is known before an answer begins. */
async function openStretches(
  front: Front,
  request: S3Request,
  [first, ...rest]: readonly Stretch[],
  onClose: () => void,
): Promise<ByteSource> {
  let current = first && (await openStretch(front, request, first));
  return {
    async *[Symbol.asyncIterator]() {
      if (current) yield* current;
      for (const stretch of rest) {
        current = await openStretch(front, request, stretch);
        yield* current;
      }
    },
    close: () => {
      current?.close();
      onClose();
    },
    whole: rest.length === 0 ? current?.whole : undefined,
  };
}

export function openStretch(
  front: Front,
  request: S3Request,
  { location, range, length }: Stretch,
): Promise<ByteSource> {
  return front.data.get(location.key, range, length, request.reqUids);
}
