/** What CloudServer keeps of a multipart upload, in the shadow bucket of the bucket it is for, member for member. */
import { randomUUID } from 'node:crypto';
import type { Account } from '../account.js';
import type { ChecksumName } from '../body/checksums.js';
import type { BodyChecksum } from '../body/request-body.js';
import type { ContentHeaders, ObjectChecksum } from '../object-value.js';

const SPLITTER = '..|..';
const PART_DIGITS = 5;
const PART_MODEL_VERSION = 3;

/** Every overview's key begins with this; the keys of parts begin with the id of their upload. */
export const OVERVIEWS = `overview${SPLITTER}`;

export type ChecksumType = ObjectChecksum['checksumType'];

/** An upload under way: its overview. Members that only CloudServer knows are kept as they are. */
export interface Upload {
  readonly key: string;
  readonly uploadId: string;
  /** When it began. */
  readonly initiated: string;
  readonly 'owner-id': string;
  readonly 'owner-display-name': string;
  readonly initiator: { readonly ID: string; readonly DisplayName: string };
  readonly 'x-amz-storage-class': string;
  /** As the client sent it. */
  readonly 'x-amz-tagging'?: string;
  /** An object may have been stored from its parts already. */
  readonly completeInProgress?: boolean;
  /** Another text for each try to store an object: one that comes after the next try has begun stores nothing. */
  readonly completion?: string;
  /** Its data is removed, now or later: it can be completed no more. */
  readonly abortInProgress?: boolean;
  /** When that was said, by s3-front. */
  readonly abortedAt?: string;
  readonly checksumAlgorithm?: ChecksumName | undefined;
  readonly checksumType?: ChecksumType | undefined;
  readonly [member: string]: unknown;
}

export interface PartLocation {
  readonly key: string;
  readonly dataStoreName: string;
  /** In bytes; left out where one location is all of the part. */
  readonly size?: number;
  readonly [member: string]: unknown;
}

export interface Part {
  readonly key: string;
  readonly partLocations: readonly PartLocation[];
  readonly 'last-modified': string;
  readonly 'content-md5': string;
  readonly 'content-length': number;
  readonly 'owner-id': string;
  readonly checksum?: BodyChecksum | undefined;
}

export interface NumberedPart {
  readonly number: number;
  readonly part: Part;
}

export interface NewUpload {
  readonly account: Account;
  readonly bucket: string;
  readonly key: string;
  readonly headers: ContentHeaders;
  readonly tagging: string | undefined;
  /** The location constraint of the bucket. */
  readonly location: string;
  readonly checksumAlgorithm: ChecksumName | undefined;
  readonly checksumType: ChecksumType | undefined;
}

/** Members that are `undefined` are left out when the value is written as JSON. */
export function newUpload(upload: NewUpload): Upload {
  const { account, headers } = upload;
  const id = randomUUID().replaceAll('-', '');
  return {
    id,
    eventualStorageBucket: upload.bucket,
    initiated: new Date().toISOString(),
    'owner-display-name': account.displayName,
    'owner-id': account.canonicalId,
    initiator: { DisplayName: account.displayName, ID: account.canonicalId },
    key: upload.key,
    uploadId: id,
    'cache-control': headers.kept['cache-control'],
    'content-disposition': headers.kept['content-disposition'],
    'content-encoding': headers.kept['content-encoding'],
    'content-type': headers.contentType,
    'content-language': headers.contentLanguage === '' ? undefined : headers.contentLanguage,
    expires: headers.kept.expires,
    'x-amz-storage-class': 'STANDARD',
    controllingLocationConstraint: upload.location,
    dataStoreName: upload.location,
    ...(upload.tagging === undefined ? {} : { 'x-amz-tagging': upload.tagging }),
    ...headers.userMetadata,
    acl: { Canned: 'private', FULL_CONTROL: [], WRITE_ACP: [], READ: [], READ_ACP: [] },
    checksumAlgorithm: upload.checksumAlgorithm,
    checksumType: upload.checksumType,
  };
}

export interface NewPart {
  readonly account: Account;
  readonly uploadId: string;
  readonly number: number;
  readonly md5: string;
  readonly size: number;
  /** The blob that holds the part; `undefined` for a part without bytes. */
  readonly dataKey: string | undefined;
  readonly checksum: BodyChecksum | undefined;
}

export function newPart({ account, uploadId, number, md5, size, dataKey, checksum }: NewPart): Part {
  return {
    ...{ 'md-model-version': PART_MODEL_VERSION },
    partLocations: dataKey === undefined ? [] : [{ key: dataKey, dataStoreName: 'file' }],
    key: partKey(uploadId, number),
    'last-modified': new Date().toISOString(),
    'content-md5': md5,
    'content-length': size,
    'owner-id': account.canonicalId,
    checksum,
  };
}

export function overviewKey(key: string, uploadId: string): string {
  return `${OVERVIEWS}${key}${SPLITTER}${uploadId}`;
}

/** Numbers have as many digits, so that parts are in order. */
export function partKey(uploadId: string, number: number): string {
  return `${uploadId}${SPLITTER}${String(number).padStart(PART_DIGITS, '0')}`;
}

/** The upload and the number that the key of a part names; `undefined` for another key. */
export function readPartKey(key: string): { uploadId: string; number: number } | undefined {
  const at = key.lastIndexOf(SPLITTER);
  if (at < 0 || key.startsWith(OVERVIEWS)) return undefined;
  return { uploadId: key.slice(0, at), number: Number(key.slice(at + SPLITTER.length)) };
}
