import type { Page } from '../listing/list-page.js';
import { listPage } from '../listing/list-page.js';
import { decodeToken, encodeToken } from '../listing/continuation-token.js';
import type { ListedObject } from '../listing/current-objects.js';
import { S3Error } from '../s3-errors.js';
import { buildXml, escapeText, WrittenXml, writeElements, type XmlElement } from '../xml.js';
import { etagOf } from './conditions.js';
import { findBucket } from './find-bucket.js';
import { writeOwner } from './list-owner.js';
import { type ListRequest, readListRequest } from './list-request.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';

/** ListObjects, version 1: pages by `marker`. */
export const listObjectsV1: Operation = async (front, request) => {
  if (request.query.has('list-type')) throw new S3Error('InvalidArgument', 'list-type must be 2');
  await findBucket(front, request);
  const list = readListRequest(request);
  const marker = request.query.get('marker') ?? '';
  const page = await readPage(front, request, list, marker, true);
  return xmlResponse(
    buildXml('ListBucketResult', {
      Name: request.bucket,
      Prefix: list.encode(list.prefix),
      Marker: list.encode(marker),
      // As in S3, a client without delimiter takes the last key for the next marker.
      NextMarker: page.next === undefined || list.delimiter === '' ? undefined : list.encode(page.next),
      ...commonElements(list, page),
    }),
  );
};

/** ListObjectsV2: pages by `continuation-token`. */
export const listObjectsV2: Operation = async (front, request) => {
  await findBucket(front, request);
  const list = readListRequest(request);
  const token = request.query.get('continuation-token');
  const startAfter = request.query.get('start-after');
  const after = token === undefined ? (startAfter ?? '') : decodeToken(token);
  const withOwner = request.query.get('fetch-owner') === 'true';
  const page = await readPage(front, request, list, after, withOwner);
  return xmlResponse(
    buildXml('ListBucketResult', {
      Name: request.bucket,
      Prefix: list.encode(list.prefix),
      StartAfter: startAfter === undefined ? undefined : list.encode(startAfter),
      ContinuationToken: token,
      NextContinuationToken: page.next === undefined ? undefined : encodeToken(page.next),
      KeyCount: page.objects + page.commonPrefixes.length,
      ...commonElements(list, page),
    }),
  );
};

function readPage(
  { metadata }: Front,
  { bucket, reqUids }: S3Request,
  list: ListRequest,
  after: string,
  withOwner: boolean,
): Promise<Page<string>> {
  return listPage(
    range => metadata.readListed(bucket, range, reqUids, { withOwner }),
    { ...list, after },
    objects => objects.map(object => contents(object, list, withOwner)).join(''),
  );
}

function commonElements(list: ListRequest, page: Page<string>): XmlElement {
  return {
    MaxKeys: list.maxKeys,
    Delimiter: list.delimiter === '' ? undefined : list.encode(list.delimiter),
    ...list.encoding,
    IsTruncated: page.next !== undefined,
    Contents: new WrittenXml(page.parts.join('')),
    CommonPrefixes: page.commonPrefixes.map(prefix => ({ Prefix: list.encode(prefix) })),
  };
}

function contents({ key, value }: ListedObject, list: ListRequest, withOwner: boolean): string {
  return (
    `<Contents><Key>${escapeText(list.encode(key))}</Key>` +
    writeElements('LastModified', value['last-modified']) +
    `<ETag>${escapeText(etagOf(value))}</ETag>` +
    writeElements('Size', value['content-length']) +
    (withOwner ? writeOwner(value) : '') +
    '<StorageClass>STANDARD</StorageClass></Contents>'
  );
}
