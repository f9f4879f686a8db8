/** The digests that a client sends with a body, before it or behind it. All of them are compared. */
import type { IncomingHttpHeaders } from 'node:http';
import { S3Error } from '../s3-errors.js';
import { CHUNKED_PAYLOADS, type ChunkedPayload } from './aws-chunked.js';
import {
  CHECKSUM_HEADER_PREFIX,
  CHECKSUM_NAMES,
  type ChecksumName,
  CHECKSUMS,
  decodeDigest,
  isChecksumName,
  type RunningDigest,
  startHash,
} from './checksums.js';

export const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** Headers of the same prefix that are no checksums. */
const ABOUT_CHECKSUMS = ['x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode'];

/** A digest that the client sent, or will send in a trailer. */
export interface ExpectedDigest {
  readonly running: RunningDigest;
  readonly bytes: number;
  readonly header: string;
  /** `undefined` for a digest of another kind. */
  readonly checksum: ChecksumName | undefined;
  readonly error: 'BadDigest' | 'XAmzContentSHA256Mismatch';
  /** `undefined` until the trailer has come. */
  expected: Buffer | undefined;
}

/** @throws S3Error InvalidArgument, InvalidDigest, InvalidRequest */
export function expectedDigests(
  headers: IncomingHttpHeaders,
  payload: string,
  chunked: ChunkedPayload | undefined,
): ExpectedDigest[] {
  const checksums = [...checksumHeader(headers), ...checksumTrailer(headers, chunked)];
  if (checksums.length > 1) {
    throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header, or one such trailer');
  }
  checkAlgorithm(headers['x-amz-sdk-checksum-algorithm'], checksums[0]);
  return [...payloadDigest(payload), ...contentMd5(headers), ...checksums];
}

/** Takes a header that followed the body. @throws S3Error MalformedTrailerError, InvalidRequest */
export function takeTrailer(digests: readonly ExpectedDigest[], name: string, value: string): void {
  const digest = digests.find(({ header, expected }) => header === name && expected === undefined);
  if (!digest) {
    throw new S3Error(
      'MalformedTrailerError',
      'A header follows the body that x-amz-trailer does not announce',
    );
  }
  digest.expected = decodeDigest(value, digest.bytes);
  if (!digest.expected) throw new S3Error('InvalidRequest', `Value for ${name} trailing header is invalid.`);
}

/** Once all of the body has gone through it. @throws S3Error MalformedTrailerError, BadDigest, XAmzContentSHA256Mismatch */
export async function checkDigest({ running, header, expected, error }: ExpectedDigest): Promise<void> {
  if (expected === undefined) {
    throw new S3Error('MalformedTrailerError', `The trailer ${header} was announced and did not come`);
  }
  if (!(await running.digest()).equals(expected)) {
    throw new S3Error(error, `The body does not match ${header}`);
  }
}

function payloadDigest(payload: string): ExpectedDigest[] {
  if (payload === UNSIGNED_PAYLOAD || payload.startsWith('STREAMING-')) return [];
  if (!/^[0-9a-f]{64}$/.test(payload)) {
    throw new S3Error(
      'InvalidArgument',
      `x-amz-content-sha256 must be a SHA-256 in hex, ${UNSIGNED_PAYLOAD}, or ${Object.keys(CHUNKED_PAYLOADS).join(', ')}`,
    );
  }
  return [
    {
      running: startHash('sha256'),
      bytes: 32,
      header: 'x-amz-content-sha256',
      checksum: undefined,
      error: 'XAmzContentSHA256Mismatch',
      expected: Buffer.from(payload, 'hex'),
    },
  ];
}

function contentMd5(headers: IncomingHttpHeaders): ExpectedDigest[] {
  const text = headers['content-md5'];
  if (text === undefined) return [];
  const expected = decodeDigest(String(text), 16);
  if (!expected) throw new S3Error('InvalidDigest', 'Content-MD5 must be 16 bytes in base64');
  return [
    {
      running: startHash('md5'),
      bytes: 16,
      header: 'content-md5',
      checksum: undefined,
      error: 'BadDigest',
      expected,
    },
  ];
}

function checksumHeader(headers: IncomingHttpHeaders): ExpectedDigest[] {
  return Object.keys(headers)
    .filter(name => name.startsWith(CHECKSUM_HEADER_PREFIX) && !ABOUT_CHECKSUMS.includes(name))
    .map(name => {
      const digest = expectChecksum(name);
      digest.expected = decodeDigest(String(headers[name]), digest.bytes);
      if (!digest.expected) throw new S3Error('InvalidRequest', `Value for ${name} header is invalid.`);
      return digest;
    });
}

function checksumTrailer(
  headers: IncomingHttpHeaders,
  chunked: ChunkedPayload | undefined,
): ExpectedDigest[] {
  const announced = headers['x-amz-trailer'];
  if (announced === undefined) return [];
  if (chunked === undefined || !CHUNKED_PAYLOADS[chunked].trailer) {
    throw new S3Error(
      'InvalidRequest',
      'x-amz-trailer needs an x-amz-content-sha256 that ends with -TRAILER',
    );
  }
  return String(announced)
    .split(',')
    .map(name => expectChecksum(name.trim().toLowerCase()));
}

function expectChecksum(header: string): ExpectedDigest {
  const name = header.startsWith(CHECKSUM_HEADER_PREFIX) ? header.slice(CHECKSUM_HEADER_PREFIX.length) : '';
  if (!isChecksumName(name)) {
    throw new S3Error(
      'InvalidRequest',
      `${header.slice(0, 100)} is not known: expected ${CHECKSUM_HEADER_PREFIX} and one of ${CHECKSUM_NAMES.join(', ')}`,
    );
  }
  const { bytes, start } = CHECKSUMS[name];
  return { running: start(), bytes, header, checksum: name, error: 'BadDigest', expected: undefined };
}

/** What an SDK says that it sends must come. */
function checkAlgorithm(
  algorithm: string | string[] | undefined,
  checksum: ExpectedDigest | undefined,
): void {
  if (algorithm === undefined) return;
  if (!checksum) {
    throw new S3Error(
      'InvalidRequest',
      'x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.',
    );
  }
  if (checksum.header !== CHECKSUM_HEADER_PREFIX + String(algorithm).toLowerCase()) {
    throw new S3Error('InvalidRequest', 'Value for x-amz-sdk-checksum-algorithm header is invalid.');
  }
}
