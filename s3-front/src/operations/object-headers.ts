/** Headers of a request that are stored with an object, and headers of an answer that come from there. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Query } from '../http/request-target.js';
import {
  type ContentHeaders,
  contentHeadersOf,
  KEPT_HEADERS,
  type ObjectValue,
  USER_METADATA_PREFIX,
} from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { etagOf, lastModifiedOf } from './conditions.js';

/** Bytes of names and values of user metadata together. */
const MAX_USER_METADATA_BYTES = 2048;
/** What S3 answers for an object that was stored without a type. */
const DEFAULT_CONTENT_TYPE = 'binary/octet-stream';

/** Headers that promise something that this endpoint does not do. */
const REFUSED = [
  /^x-amz-server-side-encryption/,
  /^x-amz-copy-source-server-side-encryption/,
  /^x-amz-object-lock-/,
  /^x-amz-bucket-object-lock-enabled$/,
  /^x-amz-grant-/,
  /^x-amz-website-redirect-location$/,
  /^x-amz-write-offset-bytes$/,
];

/** Where the owner of the bucket and that of the object are one, they mean the same. */
const KEPT_ACLS = ['private', 'bucket-owner-full-control'];
const OTHER_ACLS = [
  'authenticated-read',
  'aws-exec-read',
  'bucket-owner-read',
  'log-delivery-write',
  'public-read',
  'public-read-write',
];

/** @throws S3Error NotImplemented, InvalidArgument, InvalidStorageClass */
export function refuseUnkeptPromises(headers: IncomingHttpHeaders): void {
  const refused = Object.keys(headers).find(name => REFUSED.some(pattern => pattern.test(name)));
  if (refused !== undefined) {
    throw new S3Error('NotImplemented', `This endpoint does not offer ${refused}; CloudServer may`);
  }
  const acl = String(headers['x-amz-acl'] ?? 'private');
  if (![...KEPT_ACLS, ...OTHER_ACLS].includes(acl))
    throw new S3Error('InvalidArgument', 'x-amz-acl is none of the canned access control lists');
  if (!KEPT_ACLS.includes(acl)) {
    throw new S3Error(
      'NotImplemented',
      `All is for the owner alone here, so x-amz-acl must be ${KEPT_ACLS.join(' or ')}`,
    );
  }
  if ((headers['x-amz-storage-class'] ?? 'STANDARD') !== 'STANDARD') throw new S3Error('InvalidStorageClass');
}

/** @throws S3Error MetadataTooLarge */
export function readContentHeaders(headers: IncomingHttpHeaders): ContentHeaders {
  const userMetadata = Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith(USER_METADATA_PREFIX) && typeof value === 'string' ? [[name, value]] : [],
    ),
  );
  const bytes = Object.entries(userMetadata).reduce(
    (sum, [name, value]) => sum + name.length - USER_METADATA_PREFIX.length + value.length,
    0,
  );
  if (bytes > MAX_USER_METADATA_BYTES) throw new S3Error('MetadataTooLarge');
  return {
    contentType: headers['content-type'],
    contentLanguage: headers['content-language'] ?? '',
    kept: Object.fromEntries(
      KEPT_HEADERS.flatMap(name => {
        const value = name === 'content-encoding' ? ownEncoding(headers[name]) : headers[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    userMetadata,
  };
}

/** The encoding of the content itself: `aws-chunked` is one of the way here. */
function ownEncoding(header: string | undefined): string | undefined {
  const encodings = header
    ?.split(',')
    .map(encoding => encoding.trim())
    .filter(encoding => encoding !== '' && encoding !== 'aws-chunked');
  return encodings?.length ? encodings.join(',') : undefined;
}

/** By response-header name, the parameter of a GET that replaces it. */
const OVERRIDES = {
  'cache-control': 'response-cache-control',
  'content-disposition': 'response-content-disposition',
  'content-encoding': 'response-content-encoding',
  'content-language': 'response-content-language',
  'content-type': 'response-content-type',
  expires: 'response-expires',
} as const;

/** @throws S3Error InvalidArgument when a parameter that replaces a header is no text for one */
export function objectHeaders(object: ObjectValue, query: Query): Record<string, string> {
  const content = contentHeadersOf(object);
  const headers: Record<string, string> = {
    'last-modified': lastModifiedOf(object),
    etag: etagOf(object),
    'accept-ranges': 'bytes',
    'content-type': content.contentType ?? DEFAULT_CONTENT_TYPE,
    ...content.kept,
  };
  if (content.contentLanguage !== '') headers['content-language'] = content.contentLanguage;
  const tagCount = Object.keys(object.tags ?? {}).length;
  if (tagCount > 0) headers['x-amz-tagging-count'] = String(tagCount);
  for (const [header, parameter] of Object.entries(OVERRIDES)) {
    const value = query.get(parameter);
    if (value === undefined) continue;
    if (!isHeaderText(value)) throw new S3Error('InvalidArgument', `${parameter} is no text for a header`);
    headers[header] = value;
  }
  const userMetadata = Object.entries(content.userMetadata);
  const sendable = userMetadata.filter(([, value]) => isHeaderText(value));
  Object.assign(headers, Object.fromEntries(sendable));
  if (sendable.length < userMetadata.length) {
    headers['x-amz-missing-meta'] = String(userMetadata.length - sendable.length);
  }
  return headers;
}

function isHeaderText(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
