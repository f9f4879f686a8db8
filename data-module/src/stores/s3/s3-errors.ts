import { CatalogueError, type ErrorType, toCatalogueError } from '@zenko-modules/common/errors';

const REFUSED = 'the S3 cluster refuses S3_STORE_ACCESS_KEY and S3_STORE_SECRET_KEY';
const FULL = 'the S3 cluster is full';
const INSUFFICIENT_STORAGE = 507;

/** What clusters call it, beside the names of S3: codes of Ceph, MinIO and others. */
const NAMED: readonly (readonly [RegExp, ErrorType, string | undefined])[] = [
  [/^(NoSuchKey|NotFound)$/, 'ObjNotFound', undefined],
  [/^NoSuchBucket$/, 'ServiceUnavailable', 'S3_STORE_BUCKET: there is no such bucket'],
  [
    /^(SlowDown\w*|Throttling\w*|TooManyRequests\w*|RequestLimitExceeded|RequestThrottled\w*)$/,
    'SlowDown',
    'the S3 cluster has too many requests at the moment',
  ],
  [/(Quota|StorageFull|InsufficientStorage|InsufficientCapacity)/i, 'ServiceUnavailable', FULL],
  [
    /^(AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|CredentialsProviderError|ExpiredToken|InvalidToken|AccountProblem)$/,
    'ServiceUnavailable',
    REFUSED,
  ],
  [
    /^(BadDigest|InvalidDigest|\w*ContentSHA256Mismatch|\w*ChecksumMismatch|IncompleteBody|RequestTimeout|RequestTimeTooSkewed)$/,
    'ServiceUnavailable',
    'a request to the S3 cluster was damaged, or came too late',
  ],
  [
    /^(TimeoutError|AbortError|DeadlineError)$/,
    'ServiceUnavailable',
    'the S3 cluster does not answer in time',
  ],
];

const AWAY = 'the S3 cluster cannot be reached, or cannot serve at the moment';

/** The catalogue's name for what went wrong with the cluster, the error itself being the cause. */
export function nameS3Error(err: unknown): CatalogueError {
  if (err instanceof CatalogueError) return err;
  const name = nameOf(err);
  const [, type, message] = NAMED.find(([pattern]) => pattern.test(name)) ?? [];
  if (type !== undefined) return new CatalogueError(type, message, { cause: err });
  const status = statusOf(err);
  if (status === 429) return new CatalogueError('SlowDown', undefined, { cause: err });
  if (status === INSUFFICIENT_STORAGE) return new CatalogueError('ServiceUnavailable', FULL, { cause: err });
  // The answer to HEAD has no body that names the error.
  if (status === 401 || status === 403)
    return new CatalogueError('ServiceUnavailable', REFUSED, { cause: err });
  if (status === undefined ? isNetworkError(err) : status >= 500)
    return new CatalogueError('ServiceUnavailable', AWAY, { cause: err });
  return toCatalogueError(err);
}

/** Whether the cluster knows nothing of a multipart upload: it has ended, one way or the other. */
export function isNoSuchUpload(err: unknown): boolean {
  return nameOf(err) === 'NoSuchUpload';
}

function nameOf(err: unknown): string {
  return err instanceof Error ? err.name : '';
}

function statusOf(err: unknown): number | undefined {
  if (!(err instanceof Error) || !('$metadata' in err)) return undefined;
  const { httpStatusCode } = err.$metadata as { httpStatusCode?: number };
  return httpStatusCode;
}

/** Errors of sockets, names and TLS have a code; so have answers that are no HTTP. */
function isNetworkError(err: unknown): boolean {
  return err instanceof Error && 'code' in err && typeof err.code === 'string';
}
