import { readLimit, MAX_PARTS } from '../multipart/upload-request.js';
import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { buildXml, type XmlElement } from '../xml.js';
import { CHECKSUM_ELEMENTS, checksumElements } from './checksum-elements.js';
import { checkReadConditions, lastModifiedOf } from './conditions.js';
import { findObject } from './find-object.js';
import { countParts, partsOf } from './object-parts.js';
import { type Operation, type S3Request, xmlResponse } from './operation.js';
import { versionHeader } from './write-object.js';

const MAX_PAGE = 1000;

const ATTRIBUTES: Readonly<
  Record<string, (object: ObjectValue, request: S3Request) => XmlElement | undefined>
> = {
  ETag: object => ({ ETag: object['content-md5'] }),
  Checksum: ({ checksum }) => checksum && { Checksum: checksumElements(checksum) },
  ObjectParts: objectParts,
  StorageClass: () => ({ StorageClass: 'STANDARD' }),
  ObjectSize: object => ({ ObjectSize: object['content-length'] }),
};

/** GetObjectAttributes: what the header x-amz-object-attributes asks for. */
export const getObjectAttributes: Operation = async (front, request) => {
  const asked = String(request.headers['x-amz-object-attributes'] ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');
  if (asked.length === 0 || !asked.every(name => Object.hasOwn(ATTRIBUTES, name))) {
    throw new S3Error(
      'InvalidArgument',
      `x-amz-object-attributes must name some of ${Object.keys(ATTRIBUTES).join(', ')}`,
    );
  }
  const { object, versionId } = await findObject(front, request);
  checkReadConditions(request.headers, object);
  const elements = Object.entries(ATTRIBUTES)
    .filter(([name]) => asked.includes(name))
    .map(([, elementOf]) => elementOf(object, request) ?? {});
  const content: XmlElement = Object.assign({}, ...elements) as XmlElement;
  const response = xmlResponse(buildXml('GetObjectAttributesResponse', content));
  return {
    ...response,
    headers: {
      ...response.headers,
      'last-modified': lastModifiedOf(object),
      ...versionHeader(versionId),
    },
  };
};

function objectParts(object: ObjectValue, { headers }: S3Request): XmlElement | undefined {
  const parts = partsOf(object);
  if (!parts) return undefined;
  const text = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const maxParts = readLimit(text('x-amz-max-parts'), 'x-amz-max-parts', MAX_PAGE);
  const marker = readLimit(text('x-amz-part-number-marker') ?? '0', 'x-amz-part-number-marker', MAX_PARTS);
  const behind = parts.filter(({ number }) => number > marker);
  const page = behind.slice(0, maxParts);
  const element = object.checksum && CHECKSUM_ELEMENTS[object.checksum.checksumAlgorithm];
  return {
    ObjectParts: {
      PartsCount: countParts(object),
      PartNumberMarker: marker,
      NextPartNumberMarker: page.at(-1)?.number ?? marker,
      MaxParts: maxParts,
      IsTruncated: behind.length > page.length,
      Part: page.map(({ number, size, checksum }) => ({
        PartNumber: number,
        Size: size,
        ...(element === undefined ? {} : { [element]: checksum }),
      })),
    },
  };
}
