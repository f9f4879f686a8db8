/** The value of an object as CloudServer keeps it in a bucket's database, member for member and in its order. */
import type { Account } from './account.js';
import { CHECKSUM_HEADER_PREFIX, type ChecksumName } from './body/checksums.js';
import type { BodyChecksum } from './body/request-body.js';

/** One blob that holds a stretch of the object, from `start` on. */
export interface Location {
  readonly key: string;
  readonly size: number;
  readonly start: number;
  readonly dataStoreName: string;
  readonly dataStoreType?: string;
  readonly dataStoreETag?: string;
  /** Of the part that begins here, in the algorithm of the object's checksum. CloudServer leaves it as it is. */
  readonly checksum?: string;
  /** Present when the blob is encrypted. */
  readonly cryptoScheme?: number;
}

export type Tags = Readonly<Record<string, string>>;

/** What the front reads of a value; members that only CloudServer knows are kept as they are. */
export interface ObjectValue {
  readonly 'owner-id': string;
  readonly 'owner-display-name': string;
  readonly 'content-length': number;
  readonly 'content-type'?: string | undefined;
  readonly 'content-md5': string;
  readonly 'last-modified': string;
  readonly 'creation-time'?: string | undefined;
  readonly key: string;
  readonly location: readonly Location[] | null;
  readonly tags?: Tags;
  readonly originOp: string;
  readonly isDeleteMarker?: boolean | undefined;
  readonly isPHD?: boolean;
  readonly isNull?: boolean | undefined;
  readonly versionId?: string;
  readonly nullVersionId?: string | undefined;
  /** The multipart upload that the object comes from. */
  readonly uploadId?: string | undefined;
  readonly checksum?: ObjectChecksum | undefined;
  readonly [member: string]: unknown;
}

/** What the client was told of the object's checksum. CloudServer 8 has none and leaves it as it is. */
export interface ObjectChecksum {
  readonly checksumAlgorithm: ChecksumName;
  /** In base64; a composite one ends with a hyphen and the number of parts. */
  readonly checksumValue: string;
  readonly checksumType: 'FULL_OBJECT' | 'COMPOSITE';
}

/** Headers of HTTP that are kept under their own name, when they were sent. */
export const KEPT_HEADERS = ['cache-control', 'content-disposition', 'content-encoding', 'expires'] as const;
export const USER_METADATA_PREFIX = 'x-amz-meta-';

/** What a client says about the content of an object. */
export interface ContentHeaders {
  readonly contentType: string | undefined;
  readonly contentLanguage: string;
  readonly kept: Readonly<Partial<Record<(typeof KEPT_HEADERS)[number], string>>>;
  /** By full header name, `x-amz-meta-…`. */
  readonly userMetadata: Readonly<Record<string, string>>;
}

export const NO_CONTENT_HEADERS: ContentHeaders = {
  contentType: undefined,
  contentLanguage: '',
  kept: {},
  userMetadata: {},
};

export interface NewObject {
  readonly account: Account;
  readonly key: string;
  readonly size: number;
  readonly md5: string;
  readonly headers: ContentHeaders;
  readonly location: readonly Location[] | null;
  readonly tags: Tags;
  /** The location constraint of the bucket. */
  readonly dataStoreName: string;
  readonly originOp: string;
  readonly now: Date;
  /** When the first object of this key was stored. */
  readonly creationTime: string | undefined;
  /** `undefined`: left out, as in a copy. */
  readonly isDeleteMarker: boolean | undefined;
  readonly isNull?: true | undefined;
  readonly nullVersionId?: string | undefined;
  readonly uploadId?: string | undefined;
  readonly checksum: ObjectChecksum | undefined;
}

const MODEL_VERSION = 6;

/** Members that are `undefined` are left out when the value is written as JSON. */
export function newObjectValue(object: NewObject): ObjectValue {
  const { account, headers } = object;
  return {
    'owner-display-name': account.displayName,
    'owner-id': account.canonicalId,
    'cache-control': headers.kept['cache-control'],
    'content-disposition': headers.kept['content-disposition'],
    'content-encoding': headers.kept['content-encoding'],
    expires: headers.kept.expires,
    'content-length': object.size,
    'content-type': headers.contentType,
    'content-md5': object.md5,
    'content-language': headers.contentLanguage,
    'creation-time': object.creationTime,
    'x-amz-version-id': 'null',
    'x-amz-server-version-id': '',
    'x-amz-storage-class': 'STANDARD',
    'x-amz-server-side-encryption': '',
    'x-amz-server-side-encryption-aws-kms-key-id': '',
    'x-amz-server-side-encryption-customer-algorithm': '',
    'x-amz-website-redirect-location': '',
    'x-amz-scal-transition-in-progress': false,
    acl: { Canned: 'private', FULL_CONTROL: [], WRITE_ACP: [], READ: [], READ_ACP: [] },
    key: object.key,
    location: object.location,
    isNull: object.isNull,
    nullVersionId: object.nullVersionId,
    isDeleteMarker: object.isDeleteMarker,
    uploadId: object.uploadId,
    tags: object.tags,
    replicationInfo: {
      status: '',
      backends: [],
      content: [],
      destination: '',
      storageClass: '',
      role: '',
      storageType: '',
      dataStoreVersionId: '',
      isNFS: null,
    },
    dataStoreName: object.dataStoreName,
    originOp: object.originOp,
    deleted: false,
    isPHD: false,
    'last-modified': object.now.toISOString(),
    'md-model-version': MODEL_VERSION,
    ...headers.userMetadata,
    checksum: object.checksum,
  };
}

/** The checksum of an object that was sent in one request. */
export function fullChecksum(checksum: BodyChecksum | undefined): ObjectChecksum | undefined {
  if (!checksum) return undefined;
  const { name, value } = checksum;
  return { checksumAlgorithm: name, checksumValue: value, checksumType: 'FULL_OBJECT' };
}

/** The headers by which an answer tells a checksum. */
export function checksumHeaders(checksum: ObjectChecksum | undefined): Record<string, string> {
  if (!checksum) return {};
  return {
    [CHECKSUM_HEADER_PREFIX + checksum.checksumAlgorithm]: checksum.checksumValue,
    'x-amz-checksum-type': checksum.checksumType,
  };
}

/** The one location of a blob that the front has stored. */
export function newLocation(key: string, size: number, md5: string): Location {
  return { key, size, start: 0, dataStoreName: 'file', dataStoreETag: `1:${md5}` };
}

/** The content headers that a stored value stands for, such as those that a copy takes over. */
export function contentHeadersOf(value: Readonly<Record<string, unknown>>): ContentHeaders {
  const textOf = (name: string): string | undefined => {
    const member = value[name];
    return typeof member === 'string' && member !== '' ? member : undefined;
  };
  return {
    contentType: textOf('content-type'),
    contentLanguage: textOf('content-language') ?? '',
    kept: Object.fromEntries(
      KEPT_HEADERS.flatMap(name => {
        const text = textOf(name);
        return text === undefined ? [] : [[name, text]];
      }),
    ),
    userMetadata: Object.fromEntries(
      Object.entries(value).flatMap(([name, member]) =>
        name.startsWith(USER_METADATA_PREFIX) && typeof member === 'string' ? [[name, member]] : [],
      ),
    ),
  };
}

/** Whether a blob lies in the data module as plain bytes; CloudServer may keep others in clouds, or encrypted. */
export function isFileLocation(location: Location): boolean {
  return (
    (location.dataStoreType ?? 'file') === 'file' &&
    location.cryptoScheme === undefined &&
    /^[0-9a-f]+$/.test(location.key)
  );
}
