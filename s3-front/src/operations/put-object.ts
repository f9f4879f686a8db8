import type { RequestBody } from '../body/request-body.js';
import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import {
  checksumHeaders,
  type ContentHeaders,
  fullChecksum,
  type Location,
  newObjectValue,
  type Tags,
} from '../object-value.js';
import { checkWriteConditions } from './conditions.js';
import { creationTimeOf, existing } from './current-object.js';
import { findWritableBucket } from './find-bucket.js';
import { readContentHeaders, refuseUnkeptPromises } from './object-headers.js';
import type { Front, Operation, S3Request } from './operation.js';
import { refuseLargeBody, storeBytes, storeData } from './store-data.js';
import { parseTaggingHeader } from './tag-set.js';
import {
  type Held,
  holdObject,
  putCurrent,
  type Stored,
  versionHeader,
  withNewData,
} from './write-object.js';

/** A body up to this size is taken in before its key is held, so that its data is written while it is. */
const SMALL_BODY_BYTES = 64 * 1024;

/** What a request says of an object, and the body that it brings. */
interface NewContent {
  readonly headers: ContentHeaders;
  readonly tags: Tags;
  readonly body: RequestBody;
}

/** PutObject: the data first, then the object that refers to it, then the data that it replaced goes. */
export const putObject: Operation = async (front, request) => {
  const { headers } = request;
  refuseUnkeptPromises(headers);
  const body = request.body();
  const content = {
    headers: readContentHeaders(headers),
    tags: parseTaggingHeader(textHeader(headers['x-amz-tagging'])),
    body,
  };
  refuseLargeBody(front, body.size);
  const isSmall = body.size <= SMALL_BODY_BYTES && headers.expect === undefined;
  const { freed, versionId } = await (isSmall ? putSmall : putStream)(front, request, content);
  await front.replaced.remove(freed);
  return {
    status: 200,
    headers: {
      etag: `"${body.md5}"`,
      ...checksumHeaders(fullChecksum(body.checksum)),
      ...versionHeader(versionId),
    },
  };
};

/** All in one go: the bucket is looked up once only, and nothing is written that is refused. */
async function putSmall(front: Front, request: S3Request, content: NewContent): Promise<Stored> {
  const { body } = content;
  const bytes = await body.whole();
  const location: Location[] = [];
  return withNewData(front, request, location, () =>
    holdObject(front, request, request.key, async held => {
      checkWriteConditions(request.headers, existing(held.current));
      // There already, when the key has changed meanwhile and was read anew.
      if (location.length === 0)
        location.push(...(await storeBytes(front, bytes, body.md5, request.reqUids)));
      return putValue(front, request, content, held, location);
    }),
  );
}

/** A client may take as long as it likes to send its data: the key is held for the rest alone. */
async function putStream(front: Front, request: S3Request, content: NewContent): Promise<Stored> {
  const { bucket, key, headers, reqUids } = request;
  // Refused before the client sends its data, where possible; checked again when the key is held.
  await findWritableBucket(front, request);
  if (headers['if-match'] !== undefined || headers['if-none-match'] !== undefined) {
    const current = await front.metadata.getObject(bucket, key, {}, reqUids);
    checkWriteConditions(headers, existing(current));
  }
  const location = await storeData(front, content.body, reqUids);
  return withNewData(front, request, location, () =>
    holdObject(front, request, key, held => {
      checkWriteConditions(headers, existing(held.current));
      return putValue(front, request, content, held, location);
    }),
  );
}

function putValue(
  front: Front,
  request: S3Request,
  { headers, tags, body }: NewContent,
  held: Held,
  location: readonly Location[],
): Promise<Stored> {
  const { account, key } = request;
  return putCurrent(front, request, key, held, members =>
    newObjectValue({
      account,
      key,
      size: body.size,
      md5: body.md5,
      headers,
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
}

function textHeader(value: string | string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
