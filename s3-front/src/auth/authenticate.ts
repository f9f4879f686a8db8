/** Who sent a request: checked by signing the same request, in the form that AWS's own library gives it, and comparing. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { HttpRequest } from '@smithy/protocol-http';
import { getCanonicalHeaders, SignatureV4 } from '@smithy/signature-v4';
import type { RequestTarget } from '../http/request-target.js';
import { S3Error } from '../s3-errors.js';
import { canonicalUris } from './canonical-uri.js';
import { ALGORITHM, readSignature, type SignatureParameters } from './signature-parameters.js';
import { signingKey } from './signing-key.js';

/** How far the clocks of client and server may differ. */
const MAX_SKEW_MS = 15 * 60 * 1000;

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface SignedRequest {
  readonly method: string;
  readonly target: RequestTarget;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
}

/** A request whose sender is known. Signatures of its chunks follow from `signature`. */
export interface Authentication extends SignatureParameters {
  /** The signature, in hex, of a string to sign with the request's date and region. */
  readonly sign: (stringToSign: string) => string;
}

/**
 * @throws S3Error AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, and the
 * errors of a signature that cannot be read.
 */
export function authenticate(
  request: SignedRequest,
  keys: readonly Credentials[],
  now: Date = new Date(),
): Authentication {
  const parameters = readSignature(request.headers, request.target.query);
  const credentials = keys.find(({ accessKey }) => accessKey === parameters.accessKey);
  if (!credentials) throw new S3Error('InvalidAccessKeyId');
  checkTime(parameters, now);
  checkSignedHeaders(request, parameters);
  const sign = (text: string): string =>
    createHmac('sha256', signingKey(credentials.secretKey, parameters.scope)).update(text).digest('hex');
  const isSigned = (asSent: SignedRequest): boolean =>
    canonicalUris(asSent.target.path).some(uri =>
      sameText(sign(stringToSign(asSent, uri, parameters)), parameters.signature),
    );
  const { authority } = request.target;
  // SDKs sign the Host that they send; a URL in the request line stands in its place, where a proxy changed that.
  if (!isSigned(request) && (authority === undefined || !isSigned(withHost(request, authority)))) {
    throw new S3Error('SignatureDoesNotMatch');
  }
  return { ...parameters, sign };
}

/** Compares in a time that does not depend on where the texts differ. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function withHost(request: SignedRequest, host: string): SignedRequest {
  const rawHeaders = request.rawHeaders.map((text, at, all) =>
    at % 2 === 1 && all[at - 1]?.toLowerCase() === 'host' ? host : text,
  );
  return { ...request, rawHeaders };
}

function checkTime({ time, expiresSeconds }: SignatureParameters, now: Date): void {
  const age = now.getTime() - time.getTime();
  if (expiresSeconds === undefined) {
    if (Math.abs(age) > MAX_SKEW_MS) throw new S3Error('RequestTimeTooSkewed');
    return;
  }
  if (age > expiresSeconds * 1000) throw new S3Error('AccessDenied', 'The presigned URL has expired');
  if (age < -MAX_SKEW_MS) throw new S3Error('AccessDenied', 'The presigned URL is not valid yet');
}

/** A header of S3 that is not signed could have been added by anybody on the way. */
function checkSignedHeaders({ headers }: SignedRequest, { signedHeaders }: SignatureParameters): void {
  const unsigned = Object.keys(headers).filter(
    name => name.startsWith('x-amz-') && !signedHeaders.includes(name),
  );
  if (unsigned.length > 0) {
    throw new S3Error('AccessDenied', `These headers must be signed: ${unsigned.join(', ').slice(0, 500)}`);
  }
}

/** AWS's signer, asked for the form alone: what is signed is the request as it came, nothing added. */
class CanonicalForm extends SignatureV4 {
  constructor() {
    super({
      service: 's3',
      region: '',
      credentials: { accessKeyId: '', secretAccessKey: '' },
      sha256: Sha256,
      // S3 alone signs the path as it is on the wire, encoded once.
      uriEscapePath: false,
    });
  }

  of(
    { method, target, rawHeaders }: SignedRequest,
    uri: string,
    { signedHeaders, payload }: SignatureParameters,
  ): string {
    const signed = new Set(signedHeaders);
    const query = Object.fromEntries(target.query.entries().map(([name, values]) => [name, [...values]]));
    const headers = joinedHeaders(rawHeaders, signed);
    return this.createCanonicalRequest(
      new HttpRequest({ method, path: uri, query }),
      getCanonicalHeaders(new HttpRequest({ headers }), undefined, signed),
      payload,
    );
  }
}

const CANONICAL_FORM = new CanonicalForm();

function stringToSign(request: SignedRequest, uri: string, parameters: SignatureParameters): string {
  const { timestamp, scope } = parameters;
  const digest = createHash('sha256')
    .update(CANONICAL_FORM.of(request, uri, parameters))
    .digest('hex');
  return [ALGORITHM, timestamp, scope, digest].join('\n');
}

/** The signed headers by lower-case name; the values of a repeated one are joined by commas. */
function joinedHeaders(rawHeaders: readonly string[], signed: ReadonlySet<string>): Record<string, string> {
  const joined = new Map<string, string>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    if (!signed.has(name)) continue;
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(joined);
}
