import { isErrorType } from '@zenko-modules/common/errors';
import type { Location, ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { findObject, type ObjectName } from './find-object.js';
import type { Front, S3Request } from './operation.js';
import { locationsOf, MAX_LOOKUPS, openStretch } from './read-data.js';
import { removeData } from './write-object.js';

export interface CopiedData {
  readonly source: ObjectValue;
  /** Of the source, as clients see it. */
  readonly versionId: string | undefined;
  readonly locations: readonly Location[];
}

/**
 * Copies the data of an object, blob by blob as it is stored. An object that is replaced meanwhile loses its
 * data: then the one in its place is copied.
 * @param check throws when the source is not to be copied
 */
export async function copyData(
  front: Front,
  request: S3Request,
  name: ObjectName,
  check: (source: ObjectValue) => void,
): Promise<CopiedData> {
  for (let lookup = 1; ; lookup += 1) {
    const { object: source, versionId } = await findObject(front, request, name);
    check(source);
    const { S3_MAX_OBJECT_BYTES: limit } = front.settings;
    if (source['content-length'] > limit) {
      throw new S3Error(
        'InvalidRequest',
        `An object larger than ${limit} bytes cannot be copied in one request`,
      );
    }
    try {
      return { source, versionId, locations: await copyLocations(front, request, locationsOf(source)) };
    } catch (err) {
      if (!isErrorType(err, 'ObjNotFound') || lookup === MAX_LOOKUPS) throw err;
    }
  }
}

async function copyLocations(
  front: Front,
  request: S3Request,
  locations: readonly Location[],
): Promise<Location[]> {
  const copies: Location[] = [];
  try {
    for (const location of locations) {
      const { start, size, dataStoreETag, checksum } = location;
      const bytes = await openStretch(front, request, { location, range: undefined, length: size });
      try {
        const key = await front.data.put(bytes, size, request.reqUids);
        copies.push({
          key,
          dataStoreName: 'file',
          start,
          size,
          ...(dataStoreETag === undefined ? {} : { dataStoreETag }),
          ...(checksum === undefined ? {} : { checksum }),
        });
      } finally {
        bytes.close();
      }
    }
    return copies;
  } catch (err) {
    await removeData(front, request, copies);
    throw err;
  }
}
