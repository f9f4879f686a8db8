import type { ByteRange } from '../byte-source.js';
import { readPartNumber } from '../multipart/upload-request.js';
import { checksumHeaders, type ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { parseRange } from './byte-range.js';
import { checkReadConditions, rangeStillHolds } from './conditions.js';
import { findObject, objectNamed } from './find-object.js';
import { objectHeaders } from './object-headers.js';
import type { Operation, S3Request, S3Response } from './operation.js';
import { countParts, partsOf, rangeOfPart } from './object-parts.js';
import { openObject } from './read-data.js';
import { versionHeader } from './write-object.js';

/** GetObject: the object, or the range of it that is asked for. */
export const getObject: Operation = async (front, request) => {
  const { choice, bytes } = await openObject(front, request, objectNamed(request), (object, versionId) => {
    const range = checkedRange(request, object);
    return { range, head: headOf(request, object, versionId, range) };
  });
  return { ...choice.head, body: bytes };
};

/** HeadObject: the same answer without its body. */
export const headObject: Operation = async (front, request) => {
  const { object, versionId } = await findObject(front, request);
  return headOf(request, object, versionId, checkedRange(request, object));
};

function checkedRange({ headers, query }: S3Request, object: ObjectValue): ByteRange | undefined {
  checkReadConditions(headers, object);
  const part = query.get('partNumber');
  if (part !== undefined) {
    if (headers.range === undefined) return rangeOfPart(object, readPartNumber(part));
    throw new S3Error('InvalidRequest', 'Cannot specify both Range header and partNumber query parameter');
  }
  const ifRange = headers['if-range'];
  if (!rangeStillHolds(typeof ifRange === 'string' ? ifRange : undefined, object)) return undefined;
  return parseRange(headers.range, object['content-length']);
}

function headOf(
  request: S3Request,
  object: ObjectValue,
  versionId: string | undefined,
  range: ByteRange | undefined,
): S3Response {
  const size = object['content-length'];
  const isChecksumAsked = String(request.headers['x-amz-checksum-mode']).toUpperCase() === 'ENABLED';
  const isPartAsked = request.query.has('partNumber') && partsOf(object) !== undefined;
  const headers = {
    ...objectHeaders(object, request.query),
    ...versionHeader(versionId),
    ...(isChecksumAsked && !range ? checksumHeaders(object.checksum) : {}),
    ...(isPartAsked ? { 'x-amz-mp-parts-count': String(countParts(object)) } : {}),
  };
  if (!range) return { status: 200, headers: { ...headers, 'content-length': String(size) } };
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': String(range.last - range.first + 1),
      'content-range': `bytes ${range.first}-${range.last}/${size}`,
    },
  };
}
