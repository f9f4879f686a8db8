import type { RequestBody } from '../body/request-body.js';
import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import { type Location, newLocation, newObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { checkWriteConditions } from './conditions.js';
import { findWritableBucket } from './find-bucket.js';
import { readContentHeaders, refuseUnkeptPromises } from './object-headers.js';
import type { Front, Operation } from './operation.js';
import { parseTaggingHeader } from './tag-set.js';
import { creationTimeOf, existing } from './current-object.js';
import { holdObject, putCurrent, removeData, withNewData } from './write-object.js';

/** PutObject: the data first, then the object that refers to it, then the data that it replaced goes. */
export const putObject: Operation = async (front, request) => {
  const { key, headers, reqUids } = request;
  refuseUnkeptPromises(headers);
  const content = readContentHeaders(headers);
  const tags = parseTaggingHeader(textHeader(headers['x-amz-tagging']));
  const body = request.body();
  if (body.size > front.settings.S3_MAX_OBJECT_BYTES) {
    throw new S3Error(
      'EntityTooLarge',
      `An object must not be larger than ${front.settings.S3_MAX_OBJECT_BYTES} bytes`,
    );
  }
  // Refused before the client sends its data, where possible; checked again when the key is held.
  await findWritableBucket(front, request);
  if (headers['if-match'] !== undefined || headers['if-none-match'] !== undefined) {
    const current = await front.metadata.getObject(request.bucket, key, {}, reqUids);
    checkWriteConditions(headers, existing(current));
  }

  const location = await storeData(front, body, reqUids);
  const freed = await withNewData(front, request, location, () =>
    holdObject(front, request, key, held => {
      checkWriteConditions(headers, existing(held.current));
      return putCurrent(front, request, key, held, members =>
        newObjectValue({
          account: front.account,
          key,
          size: body.size,
          md5: body.md5,
          headers: content,
          location: location.length === 0 ? null : location,
          tags,
          dataStoreName: held.bucket.locationConstraint ?? DEFAULT_LOCATION,
          originOp: 's3:ObjectCreated:Put',
          now: new Date(),
          creationTime: creationTimeOf(held.current),
          isDeleteMarker: false,
          ...members,
        }),
      );
    }),
  );
  await removeData(front, request, freed);
  return { status: 200, headers: { etag: `"${body.md5}"`, ...body.checksums } };
};

/** An empty object has no data. */
async function storeData({ data }: Front, body: RequestBody, reqUids: string): Promise<Location[]> {
  if (body.size === 0) {
    await body.text(0);
    return [];
  }
  const key = await data.put(body.read(), body.size, reqUids);
  return [newLocation(key, body.size, body.md5)];
}

function textHeader(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
