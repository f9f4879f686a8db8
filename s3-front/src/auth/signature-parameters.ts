/** What a request says about its own signature: in its Authorization header, or in the query of a presigned URL. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Query } from '../http/request-target.js';
import { S3Error, type S3ErrorCode } from '../s3-errors.js';

export const ALGORITHM = 'AWS4-HMAC-SHA256';
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';
/** Seven days, the longest life of a presigned URL. */
const MAX_EXPIRES_SECONDS = 604_800;

const VERSION_2_REFUSED =
  `Signature version 2 is not offered: sign with ${ALGORITHM}. For the AWS command line, run ` +
  '"aws configure set default.s3.signature_version s3v4"; for boto3, give the client ' +
  'Config(signature_version="s3v4"); for s3cmd, set signature_v2 = False';

export interface SignatureParameters {
  readonly accessKey: string;
  readonly region: string;
  /** `YYYYMMDD/region/s3/aws4_request` */
  readonly scope: string;
  /** Lower case, in the order given. */
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly time: Date;
  /** `time` as the client wrote it, `YYYYMMDDTHHMMSSZ`. */
  readonly timestamp: string;
  /** What stands for the body in the signature: a digest, or a word such as UNSIGNED-PAYLOAD. */
  readonly payload: string;
  /** For a presigned URL alone: how long it holds from `time` on. */
  readonly expiresSeconds: number | undefined;
}

/**
 * @throws S3Error AccessDenied when the request is not signed at all, AuthorizationHeaderMalformed or
 * AuthorizationQueryParametersError when it is signed in a way that cannot be read.
 */
export function readSignature(headers: IncomingHttpHeaders, query: Query): SignatureParameters {
  const presigned = query.has('X-Amz-Algorithm') || query.has('X-Amz-Signature');
  if (headers.authorization !== undefined) {
    if (presigned) {
      throw new S3Error('InvalidArgument', 'A request is signed in its header or in its query, not in both');
    }
    return fromHeader(headers.authorization, headers);
  }
  if (presigned) return fromQuery(headers, query);
  if (query.has('Signature') || query.has('AWSAccessKeyId')) {
    throw new S3Error('InvalidRequest', VERSION_2_REFUSED);
  }
  throw new S3Error('AccessDenied', 'The request is not signed; this endpoint serves no anonymous users');
}

function fromHeader(authorization: string, headers: IncomingHttpHeaders): SignatureParameters {
  const [algorithm, ...rest] = authorization.trim().split(/[ \t]+/);
  if (algorithm !== ALGORITHM) {
    throw new S3Error(
      'InvalidRequest',
      algorithm === 'AWS'
        ? VERSION_2_REFUSED
        : `The authorization mechanism is not offered: sign with ${ALGORITHM}`,
    );
  }
  const fields = new Map<string, string>();
  for (const field of rest.join('').split(',')) {
    const equals = field.indexOf('=');
    if (equals > 0) fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  const malformed = 'AuthorizationHeaderMalformed';
  const timestamp = headers['x-amz-date'] ?? timestampOf(headers.date);
  if (typeof timestamp !== 'string') {
    throw new S3Error('AccessDenied', 'A signed request must have the header x-amz-date or Date');
  }
  const payload = headers['x-amz-content-sha256'];
  if (typeof payload !== 'string') {
    throw new S3Error('InvalidRequest', 'A signed request must have the header x-amz-content-sha256');
  }
  return {
    ...credential(fields.get('Credential'), timestamp, malformed),
    ...signatureFields(fields.get('SignedHeaders'), fields.get('Signature'), malformed),
    payload,
    expiresSeconds: undefined,
  };
}

function fromQuery(headers: IncomingHttpHeaders, query: Query): SignatureParameters {
  const malformed = 'AuthorizationQueryParametersError';
  if (query.get('X-Amz-Algorithm') !== ALGORITHM) {
    throw new S3Error(malformed, `X-Amz-Algorithm must be ${ALGORITHM}`);
  }
  const expires = query.get('X-Amz-Expires') ?? '';
  if (!/^\d{1,7}$/.test(expires) || Number(expires) < 1 || Number(expires) > MAX_EXPIRES_SECONDS) {
    throw new S3Error(malformed, `X-Amz-Expires must be a number from 1 to ${MAX_EXPIRES_SECONDS}`);
  }
  const fields = signatureFields(query.get('X-Amz-SignedHeaders'), query.get('X-Amz-Signature'), malformed);
  const payload = fields.signedHeaders.includes('x-amz-content-sha256')
    ? headers['x-amz-content-sha256']
    : query.get('X-Amz-Content-Sha256');
  return {
    ...credential(query.get('X-Amz-Credential'), query.get('X-Amz-Date') ?? '', malformed),
    ...fields,
    payload: typeof payload === 'string' ? payload : UNSIGNED_PAYLOAD,
    expiresSeconds: Number(expires),
  };
}

function signatureFields(
  signedHeaders: string | undefined,
  signature: string | undefined,
  code: S3ErrorCode,
) {
  const names = signedHeaders?.split(';') ?? [];
  if (names.length === 0 || !names.every(name => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))) {
    throw new S3Error(code, 'SignedHeaders must name headers in lower case, separated by semicolons');
  }
  if (!names.includes('host')) throw new S3Error(code, 'SignedHeaders must name host');
  if (signature === undefined || !/^[0-9a-f]{64}$/.test(signature)) {
    throw new S3Error(code, 'Signature must be 64 lower-case hex digits');
  }
  return { signedHeaders: names, signature };
}

function credential(text: string | undefined, timestamp: string, code: S3ErrorCode) {
  const match = /^([^/]{1,128})\/(\d{8})\/([a-zA-Z0-9-]{1,64})\/([^/]*)\/([^/]*)$/.exec(text ?? '');
  if (!match) {
    throw new S3Error(code, 'Credential must be <access key>/<YYYYMMDD>/<region>/s3/aws4_request');
  }
  const [, accessKey = '', date = '', region = '', service, terminator] = match;
  if (service !== 's3' || terminator !== 'aws4_request') {
    throw new S3Error(code, 'Credential must end with /s3/aws4_request');
  }
  const time = parseTimestamp(timestamp);
  if (time === undefined) {
    throw new S3Error(
      code === 'AuthorizationHeaderMalformed' ? 'AccessDenied' : code,
      'The date of the request must look like 20260131T235959Z',
    );
  }
  if (!timestamp.startsWith(date)) throw new S3Error(code, 'Credential must have the date of the request');
  return { accessKey, region, scope: `${date}/${region}/s3/aws4_request`, time, timestamp };
}

function parseTimestamp(text: string): Date | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = new Date(
    `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`,
  );
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** The form of x-amz-date, from a Date header, for clients that sign that one. */
function timestampOf(date: string | undefined): string | undefined {
  if (date === undefined) return undefined;
  const time = new Date(date);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/**
 * The headers that a presigned URL stands for: those of S3 that its maker knew stand in its query. Checksums
 * there are left out, for SDKs compute them when the URL is made, of a body that is not there yet.
 */
export function headersFromQuery(query: Query): Readonly<Record<string, string>> {
  return Object.fromEntries(
    query
      .names()
      .filter(name => name.startsWith('x-amz-') && !name.includes('checksum'))
      .map(name => [name, query.get(name) ?? '']),
  );
}
