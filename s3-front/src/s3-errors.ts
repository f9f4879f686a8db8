/**
 * Every error that a client of the front can get: its S3 code, its HTTP status, and what it means.
 * Programs test the code; the message of a thrown error says what is wrong in that case.
 */
import { CatalogueError } from '@zenko-modules/common/errors';

export interface S3ErrorEntry {
  readonly status: number;
  readonly message: string;
}

const entry = (status: number, message: string): S3ErrorEntry => ({ status, message });

export const S3_ERRORS = {
  AccessDenied: entry(403, 'Access denied'),
  AuthorizationHeaderMalformed: entry(400, 'The Authorization header cannot be parsed'),
  AuthorizationQueryParametersError: entry(400, 'The parameters of the presigned URL are not valid'),
  BadDigest: entry(400, 'The body does not match the digest that was sent with it'),
  BadRequest: entry(400, 'The request cannot be parsed'),
  BucketAlreadyExists: entry(409, 'A bucket of this name exists and belongs to somebody else'),
  BucketAlreadyOwnedByYou: entry(409, 'You have a bucket of this name'),
  BucketNotEmpty: entry(409, 'The bucket is not empty'),
  EntityTooLarge: entry(400, 'The object is larger than this endpoint accepts'),
  EntityTooSmall: entry(400, 'A part that is not the last is smaller than 5 MiB'),
  IllegalVersioningConfigurationException: entry(
    400,
    'The Status of the versioning must be Enabled or Suspended',
  ),
  IncompleteBody: entry(400, 'The body ended before the announced number of bytes'),
  InternalError: entry(500, 'An unexpected error; please try again'),
  InvalidAccessKeyId: entry(403, 'This access key is not known here'),
  InvalidArgument: entry(400, 'An argument is not valid'),
  InvalidBucketName: entry(400, 'This is not a valid bucket name'),
  InvalidBucketOwnerAWSAccountID: entry(400, 'The expected owner of the bucket is not the id of an account'),
  InvalidDigest: entry(400, 'The digest that was sent is not a digest of the announced kind'),
  InvalidLocationConstraint: entry(400, 'This location constraint is not known here'),
  InvalidPart: entry(400, 'A part was not found, or its entity tag does not match'),
  InvalidPartNumber: entry(416, 'The object has no part of this number'),
  InvalidPartOrder: entry(400, 'The parts must be given in ascending order of their numbers'),
  InvalidRange: entry(416, 'The range starts past the end of the object'),
  InvalidRequest: entry(400, 'The request is not valid'),
  InvalidStorageClass: entry(400, 'This storage class is not offered; it must be STANDARD'),
  InvalidTag: entry(400, 'A tag is not valid'),
  InvalidURI: entry(400, 'The URI cannot be parsed'),
  KeyTooLongError: entry(400, 'The key is too long'),
  MalformedXML: entry(400, 'The XML in the body is not well-formed or not of the expected shape'),
  MalformedTrailerError: entry(400, 'What follows the body is not well-formed, or not what was announced'),
  MaxMessageLengthExceeded: entry(400, 'The body is too large'),
  MetadataTooLarge: entry(400, 'The metadata headers are larger than 2048 bytes together'),
  MethodNotAllowed: entry(405, 'The method is not allowed on this resource'),
  MissingContentLength: entry(411, 'The request must announce its Content-Length'),
  NoSuchBucket: entry(404, 'This bucket does not exist'),
  NoSuchBucketPolicy: entry(404, 'The bucket has no policy'),
  NoSuchCORSConfiguration: entry(404, 'The bucket has no CORS configuration'),
  NoSuchKey: entry(404, 'This key does not exist'),
  NoSuchLifecycleConfiguration: entry(404, 'The bucket has no lifecycle configuration'),
  NoSuchPublicAccessBlockConfiguration: entry(404, 'The bucket has no public access block configuration'),
  NoSuchTagSet: entry(404, 'The bucket has no tags'),
  NoSuchUpload: entry(404, 'This upload does not exist: it may have been completed or aborted'),
  NoSuchVersion: entry(404, 'This version of the object does not exist'),
  NotImplemented: entry(501, 'This endpoint does not offer this; CloudServer may'),
  NotModified: entry(304, 'Not modified'),
  NoSuchWebsiteConfiguration: entry(404, 'The bucket has no website configuration'),
  ObjectLockConfigurationNotFoundError: entry(404, 'The bucket has no object lock configuration'),
  PreconditionFailed: entry(412, 'A precondition of the request does not hold'),
  ReplicationConfigurationNotFoundError: entry(404, 'The bucket has no replication configuration'),
  RequestHeaderSectionTooLarge: entry(400, 'The headers of the request are too large'),
  RequestTimeTooSkewed: entry(403, 'The time of the request differs too much from the time of this server'),
  ServerSideEncryptionConfigurationNotFoundError: entry(404, 'The bucket has no encryption configuration'),
  ServiceUnavailable: entry(503, 'A storage module cannot be reached; please try again'),
  SignatureDoesNotMatch: entry(403, 'The signature does not match; check the secret key and the signing'),
  SlowDown: entry(503, 'Please reduce the rate of requests'),
  XAmzContentSHA256Mismatch: entry(400, 'The body does not match x-amz-content-sha256'),
} as const satisfies Record<string, S3ErrorEntry>;

export type S3ErrorCode = keyof typeof S3_ERRORS;

export interface S3ErrorOptions {
  readonly cause?: unknown;
  /** Headers that the answer carries, such as `x-amz-delete-marker`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error as the client sees it. Its cause is for the log alone. */
export class S3Error extends Error {
  readonly code: S3ErrorCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: S3ErrorCode, message?: string, { cause, headers = {} }: S3ErrorOptions = {}) {
    super(message ?? S3_ERRORS[code].message, { cause });
    this.name = code;
    this.code = code;
    this.headers = headers;
  }

  get status(): number {
    return S3_ERRORS[this.code].status;
  }
}

/** What a client is told about anything that was thrown. What the modules said stays in the log. */
export function toS3Error(err: unknown): S3Error {
  if (err instanceof S3Error) return err;
  if (err instanceof CatalogueError && err.type === 'SlowDown') {
    return new S3Error('SlowDown', undefined, { cause: err });
  }
  if (err instanceof CatalogueError && err.retriable) {
    return new S3Error('ServiceUnavailable', undefined, { cause: err });
  }
  return new S3Error('InternalError', undefined, { cause: err });
}

/** True when `err` is an S3 error with one of these codes. */
export function isS3Error(err: unknown, ...codes: S3ErrorCode[]): err is S3Error {
  return err instanceof S3Error && codes.includes(err.code);
}
