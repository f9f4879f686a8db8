import { findBucket } from '../operations/find-bucket.js';
import { CHECKSUM_ELEMENTS } from '../operations/checksum-elements.js';
import { type Operation, xmlResponse } from '../operations/operation.js';
import { buildXml, type XmlElement } from '../xml.js';
import { MAX_PARTS, readLimit, uploadName } from './upload-request.js';
import { UploadStore } from './upload-store.js';
import type { NumberedPart } from './upload-values.js';

const MAX_PAGE = 1000;

/** ListParts: pages by `part-number-marker`. */
export const listParts: Operation = async (front, request) => {
  const name = uploadName(request);
  const { query } = request;
  const maxParts = readLimit(query.get('max-parts'), 'max-parts', MAX_PAGE);
  const marker = readLimit(query.get('part-number-marker') ?? '0', 'part-number-marker', MAX_PARTS);
  await findBucket(front, request);
  const store = new UploadStore(front, request.reqUids);
  const upload = await store.get(name);
  const page: NumberedPart[] = [];
  let isTruncated = false;
  for await (const part of store.parts(name, marker)) {
    isTruncated = page.length === maxParts;
    if (isTruncated) break;
    page.push(part);
  }
  return xmlResponse(
    buildXml('ListPartsResult', {
      Bucket: name.bucket,
      Key: name.key,
      UploadId: name.uploadId,
      Initiator: { ID: upload.initiator.ID, DisplayName: upload.initiator.DisplayName },
      Owner: { ID: upload['owner-id'], DisplayName: upload['owner-display-name'] },
      StorageClass: 'STANDARD',
      PartNumberMarker: marker,
      NextPartNumberMarker: isTruncated ? (page.at(-1)?.number ?? marker) : undefined,
      MaxParts: maxParts,
      IsTruncated: isTruncated,
      Part: page.map(partElement),
      ChecksumAlgorithm: upload.checksumAlgorithm?.toUpperCase(),
      ChecksumType: upload.checksumType,
    }),
  );
};

function partElement({ number, part }: NumberedPart): XmlElement {
  const { checksum } = part;
  return {
    PartNumber: number,
    LastModified: part['last-modified'],
    ETag: `"${part['content-md5']}"`,
    Size: part['content-length'],
    ...(checksum ? { [CHECKSUM_ELEMENTS[checksum.name]]: checksum.value } : {}),
  };
}
