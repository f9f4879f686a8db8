/** Who sent a request: checked by signing the same request with AWS's own library and comparing. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Sha256 } from '@aws-crypto/sha256-js';
import { HttpRequest } from '@smithy/protocol-http';
import { getCanonicalHeaders, SignatureV4 } from '@smithy/signature-v4';
import type { RequestTarget } from '../http/request-target.js';
import { S3Error } from '../s3-errors.js';
import { escapeUriPath } from './canonical-uri.js';
import { ALGORITHM, readSignature, type SignatureParameters } from './signature-parameters.js';

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
  readonly sign: (stringToSign: string) => Promise<string>;
}

/**
 * @throws S3Error AccessDenied, InvalidAccessKeyId, SignatureDoesNotMatch, RequestTimeTooSkewed, and the
 * errors of a signature that cannot be read.
 */
export async function authenticate(
  request: SignedRequest,
  keys: readonly Credentials[],
  now: Date = new Date(),
): Promise<Authentication> {
  const parameters = readSignature(request.headers, request.target.query);
  const credentials = keys.find(({ accessKey }) => accessKey === parameters.accessKey);
  if (!credentials) throw new S3Error('InvalidAccessKeyId');
  checkTime(parameters, now);
  checkSignedHeaders(request, parameters);
  const signer = new RequestSigner(parameters, credentials);
  const { authority } = request.target;
  const { signature } = parameters;
  // SDKs sign the Host that they send; a URL in the request line stands in its place, where a proxy changed that.
  const matches =
    sameText(await signer.signatureOf(request, parameters), signature) ||
    (authority !== undefined &&
      sameText(await signer.signatureOf(withHost(request, authority), parameters), signature));
  if (!matches) throw new S3Error('SignatureDoesNotMatch');
  return { ...parameters, sign: text => signer.sign(text, { signingDate: parameters.time }) };
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

/** AWS's signer, asked for the signature alone: what it signs is the request as it came, nothing added. */
class RequestSigner extends SignatureV4 {
  constructor({ region }: SignatureParameters, { accessKey, secretKey }: Credentials) {
    super({
      service: 's3',
      region,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      sha256: Sha256,
      // S3 alone signs the path as it is on the wire, encoded once.
      uriEscapePath: false,
    });
  }

  async signatureOf(request: SignedRequest, parameters: SignatureParameters): Promise<string> {
    const signed = new Set(parameters.signedHeaders);
    const canonical = this.createCanonicalRequest(
      new HttpRequest({
        method: request.method,
        path: escapeUriPath(request.target.path),
        query: Object.fromEntries(
          request.target.query.entries().map(([name, values]) => [name, [...values]]),
        ),
      }),
      getCanonicalHeaders(
        new HttpRequest({ headers: joinedHeaders(request.rawHeaders, signed) }),
        undefined,
        signed,
      ),
      parameters.payload,
    );
    const stringToSign = await this.createStringToSign(
      parameters.timestamp,
      parameters.scope,
      canonical,
      ALGORITHM,
    );
    return this.sign(stringToSign, { signingDate: parameters.time });
  }
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
