import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import { checksumHeaders, fullChecksum, newObjectValue } from '../object-value.js';
import { checkWriteConditions } from './conditions.js';
import { findWritableBucket } from './find-bucket.js';
import { readContentHeaders, refuseUnkeptPromises } from './object-headers.js';
import type { Operation } from './operation.js';
import { parseTaggingHeader } from './tag-set.js';
import { creationTimeOf, existing } from './current-object.js';
import { refuseLargeBody, storeData } from './store-data.js';
import { holdObject, putCurrent, removeData, versionHeader, withNewData } from './write-object.js';

/** PutObject: the data first, then the object that refers to it, then the data that it replaced goes. */
export const putObject: Operation = async (front, request) => {
  const { key, headers, reqUids } = request;
  refuseUnkeptPromises(headers);
  const content = readContentHeaders(headers);
  const tags = parseTaggingHeader(textHeader(headers['x-amz-tagging']));
  const body = request.body();
  refuseLargeBody(front, body.size);
  // Refused before the client sends its data, where possible; checked again when the key is held.
  await findWritableBucket(front, request);
  if (headers['if-match'] !== undefined || headers['if-none-match'] !== undefined) {
    const current = await front.metadata.getObject(request.bucket, key, {}, reqUids);
    checkWriteConditions(headers, existing(current));
  }

  const location = await storeData(front, body, reqUids);
  const { freed, versionId } = await withNewData(front, request, location, () =>
    holdObject(front, request, key, held => {
      checkWriteConditions(headers, existing(held.current));
      return putCurrent(front, request, key, held, members =>
        newObjectValue({
          account: request.account,
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
          checksum: fullChecksum(body.checksum),
          ...members,
        }),
      );
    }),
  );
  await removeData(front, request, freed);
  return {
    status: 200,
    headers: {
      etag: `"${body.md5}"`,
      ...checksumHeaders(fullChecksum(body.checksum)),
      ...versionHeader(versionId),
    },
  };
};

function textHeader(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
