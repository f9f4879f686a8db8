/**
 * The transfer coding `aws-chunked`: chunks with their size before them, each signed on request, and
 * headers after the last. Decoded as it flows; a chunk's signature is known only at its end, so what was
 * passed on before must not count as received until the whole body has been.
 */
import { createHash } from 'node:crypto';
import type { Authentication } from '../auth/authenticate.js';
import { sameText } from '../auth/authenticate.js';
import { S3Error } from '../s3-errors.js';
import { ByteReader } from './byte-reader.js';

/** Longest line before a chunk: a size, and a signature with its name. */
const MAX_CHUNK_LINE = 256;
const MAX_TRAILER_LINE = 1024;
const MAX_TRAILER_LINES = 20;
const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** The coding's variants, by the value of x-amz-content-sha256 that announces them. */
export const CHUNKED_PAYLOADS = {
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { signed: false, trailer: true },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { signed: true, trailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { signed: true, trailer: true },
} as const;

export type ChunkedPayload = keyof typeof CHUNKED_PAYLOADS;

export interface ChunkedBody {
  readonly source: AsyncIterable<Buffer>;
  readonly payload: ChunkedPayload;
  readonly authentication: Authentication;
  /** Gets each header that follows the body, its name in lower case. */
  readonly onTrailer: (name: string, value: string) => void;
}

/**
 * The bytes of the body.
 * @throws S3Error IncompleteBody when the coding ends early or is broken, SignatureDoesNotMatch,
 * MalformedTrailerError when what follows the last chunk is not what may be there.
 */
export async function* decodeAwsChunked(body: ChunkedBody): AsyncGenerator<Buffer, void, undefined> {
  const { signed, trailer } = CHUNKED_PAYLOADS[body.payload];
  const reader = new ByteReader(body.source);
  const signatures = new SignatureChain(body.authentication);
  try {
    for (;;) {
      const { size, signature } = parseChunkLine(await reader.line(MAX_CHUNK_LINE));
      const hash = signed ? createHash('sha256') : undefined;
      for (let left = size; left > 0;) {
        const bytes = await reader.some(left);
        if (bytes === undefined) throw new S3Error('IncompleteBody');
        hash?.update(bytes);
        left -= bytes.length;
        yield bytes;
      }
      if (hash) signatures.checkChunk(hash.digest('hex'), signature);
      if (size === 0) break;
      if (!(await reader.lineEnd())) throw broken('a chunk does not have its announced size');
    }
    await readTrailers(reader, trailer, signed ? signatures : undefined, body.onTrailer);
  } finally {
    await reader.close();
  }
}

function parseChunkLine(line: string | undefined): { size: number; signature: string | undefined } {
  if (line === undefined) throw broken('a chunk has no line with its size');
  const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(line);
  if (!match?.[1]) throw broken('a chunk must begin with its size in hex digits, and its signature');
  return { size: Number.parseInt(match[1], 16), signature: match[2] };
}

/**
 * Reads the headers behind the last chunk up to the end of the body. Lines end with LF or CRLF, and empty ones may
 * stand anywhere: some clients end each header with both LF and CRLF, some leave out the last line.
 */
async function readTrailers(
  reader: ByteReader,
  expected: boolean,
  signatures: SignatureChain | undefined,
  onTrailer: (name: string, value: string) => void,
): Promise<void> {
  let text = '';
  let signature: string | undefined;
  let lines = 0;
  for (let isEnded = false; !(await reader.atEnd()); lines += 1) {
    const line = await reader.line(MAX_TRAILER_LINE);
    if (line === undefined && !isEnded) throw broken('a header behind the last chunk has no end');
    const [, name = '', value = ''] = /^([^:]+):(.*)$/.exec(line ?? ':') ?? [];
    if (line === '') {
      isEnded = true;
    } else if (name === '' || !expected || signature !== undefined || lines >= MAX_TRAILER_LINES) {
      throw new S3Error('MalformedTrailerError');
    } else if (signatures && name.trim().toLowerCase() === 'x-amz-trailer-signature') {
      signature = value.trim();
    } else {
      text += `${name.trim().toLowerCase()}:${value.trim()}\n`;
      onTrailer(name.trim().toLowerCase(), value.trim());
    }
  }
  // Clients without trailers may leave out the empty line after the last chunk.
  if (expected && lines === 0) throw broken('it ends before the headers that were announced');
  if (expected && signatures) signatures.checkTrailer(text, signature);
}

function broken(why: string): S3Error {
  return new S3Error('IncompleteBody', `The coding of the body is broken: ${why}`);
}

/** Each chunk's signature covers the one before; the first covers that of the request. */
class SignatureChain {
  readonly #authentication: Authentication;
  #previous: string;

  constructor(authentication: Authentication) {
    this.#authentication = authentication;
    this.#previous = authentication.signature;
  }

  checkChunk(sha256: string, signature: string | undefined): void {
    this.#check('AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, sha256], signature, 'a chunk');
  }

  checkTrailer(text: string, signature: string | undefined): void {
    const sha256 = createHash('sha256').update(text, 'latin1').digest('hex');
    this.#check('AWS4-HMAC-SHA256-TRAILER', [sha256], signature, 'the trailer');
  }

  #check(algorithm: string, digests: readonly string[], signature: string | undefined, what: string): void {
    const { timestamp, scope, sign } = this.#authentication;
    const expected = sign([algorithm, timestamp, scope, this.#previous, ...digests].join('\n'));
    if (signature === undefined || !sameText(signature, expected)) {
      throw new S3Error('SignatureDoesNotMatch', `The signature of ${what} of the body does not match`);
    }
    this.#previous = expected;
  }
}
