import { escapeUriPath } from '../auth/canonical-uri.js';
import { afterPrefix } from '../listing/key-bounds.js';
import { findBucket } from '../operations/find-bucket.js';
import { type Operation, type S3Request, xmlResponse } from '../operations/operation.js';
import { S3Error } from '../s3-errors.js';
import { buildXml, type XmlElement } from '../xml.js';
import { readLimit } from './upload-request.js';
import { UploadStore } from './upload-store.js';
import { overviewKey, OVERVIEWS, type Upload } from './upload-values.js';

const MAX_PAGE = 1000;

interface Marker {
  readonly key: string;
  /** Empty behind a common prefix. */
  readonly uploadId: string;
}

/** ListMultipartUploads: pages by `key-marker` and `upload-id-marker`. */
export const listMultipartUploads: Operation = async (front, request) => {
  const { query, bucket, reqUids } = request;
  await findBucket(front, request);
  const maxUploads = readLimit(query.get('max-uploads'), 'max-uploads', MAX_PAGE);
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const keyMarker = query.get('key-marker') ?? '';
  const uploadIdMarker = keyMarker === '' ? '' : (query.get('upload-id-marker') ?? '');
  const encode = readEncoding(request);

  const uploads: Upload[] = [];
  const prefixes = new Set<string>();
  let last: Marker | undefined;
  let isTruncated = false;
  const store = new UploadStore(front, reqUids);
  const range = rangeBehind({ key: keyMarker, uploadId: uploadIdMarker }, prefix, delimiter);
  for await (const { value } of range === undefined ? [] : store.read(bucket, range)) {
    const upload = JSON.parse(value) as Upload;
    if (!upload.key.startsWith(prefix) || upload.abortInProgress === true) continue;
    const end = delimiter === '' ? -1 : upload.key.indexOf(delimiter, prefix.length);
    const common = end < 0 ? undefined : upload.key.slice(0, end + delimiter.length);
    if (common !== undefined && prefixes.has(common)) continue;
    isTruncated = uploads.length + prefixes.size === maxUploads;
    if (isTruncated) break;
    if (common === undefined) uploads.push(upload);
    else prefixes.add(common);
    last = { key: common ?? upload.key, uploadId: common === undefined ? upload.uploadId : '' };
  }
  const more = isTruncated && maxUploads > 0 ? last : undefined;
  return xmlResponse(
    buildXml('ListMultipartUploadsResult', {
      Bucket: bucket,
      KeyMarker: encode(keyMarker),
      UploadIdMarker: uploadIdMarker,
      NextKeyMarker: more && encode(more.key),
      NextUploadIdMarker: more && more.uploadId !== '' ? more.uploadId : undefined,
      Prefix: encode(prefix),
      Delimiter: delimiter === '' ? undefined : encode(delimiter),
      EncodingType: query.get('encoding-type'),
      MaxUploads: maxUploads,
      IsTruncated: more !== undefined,
      Upload: uploads.map(upload => uploadElement(upload, encode)),
      CommonPrefixes: [...prefixes].map(common => ({ Prefix: encode(common) })),
    }),
  );
};

/** Overviews that may be on the page; `undefined`: none can. In the order in which they are stored. */
function rangeBehind(
  marker: Marker,
  prefix: string,
  delimiter: string,
): { gt?: string; gte?: string; lt?: string } | undefined {
  const upper = afterPrefix(OVERVIEWS + prefix);
  const within = upper === undefined ? {} : { lt: upper };
  if (marker.key === '') return { gte: OVERVIEWS + prefix, ...within };
  const isPrefix = delimiter !== '' && marker.key.endsWith(delimiter) && marker.uploadId === '';
  // Without an id, behind all uploads of this key.
  const behind = isPrefix ? OVERVIEWS + marker.key : overviewKey(marker.key, '');
  const start = marker.uploadId === '' ? afterPrefix(behind) : overviewKey(marker.key, marker.uploadId);
  if (start === undefined || (upper !== undefined && start >= upper)) return undefined;
  if (start < OVERVIEWS + prefix) return { gte: OVERVIEWS + prefix, ...within };
  return { ...(marker.uploadId === '' ? { gte: start } : { gt: start }), ...within };
}

function readEncoding({ query }: S3Request): (text: string) => string {
  const encodingType = query.get('encoding-type');
  if (encodingType === undefined) return text => text;
  if (encodingType !== 'url') throw new S3Error('InvalidArgument', 'encoding-type must be url');
  return escapeUriPath;
}

function uploadElement(upload: Upload, encode: (text: string) => string): XmlElement {
  return {
    Key: encode(upload.key),
    UploadId: upload.uploadId,
    Initiator: { ID: upload.initiator.ID, DisplayName: upload.initiator.DisplayName },
    Owner: { ID: upload['owner-id'], DisplayName: upload['owner-display-name'] },
    StorageClass: 'STANDARD',
    Initiated: upload.initiated,
    ChecksumAlgorithm: upload.checksumAlgorithm?.toUpperCase(),
    ChecksumType: upload.checksumType,
  };
}
