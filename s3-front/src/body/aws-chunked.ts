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
const MAX_TRAILERS = 10;
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
 * InvalidRequest when something follows its end.
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
      if (hash) await signatures.checkChunk(hash.digest('hex'), signature);
      if (size === 0) break;
      if (!(await reader.lineEnd())) throw broken('a chunk does not have its announced size');
    }
    await readTrailers(reader, trailer, signed ? signatures : undefined, body.onTrailer);
    if ((await reader.some(1)) !== undefined) {
      throw new S3Error('InvalidRequest', 'The body goes on after its last chunk');
    }
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

/** Reads up to the empty line that ends the body. */
async function readTrailers(
  reader: ByteReader,
  expected: boolean,
  signatures: SignatureChain | undefined,
  onTrailer: (name: string, value: string) => void,
): Promise<void> {
  let text = '';
  let signature: string | undefined;
  for (let count = 0; ; count += 1) {
    const line = await reader.line(MAX_TRAILER_LINE);
    // Clients without trailers may leave out the empty line after the last chunk.
    if (line === '' || (line === undefined && !expected)) break;
    const colon = line?.indexOf(':') ?? -1;
    if (line === undefined || colon < 1 || !expected || count >= MAX_TRAILERS) {
      throw broken('what follows the last chunk must be headers that were announced, and an empty line');
    }
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'x-amz-trailer-signature') {
      signature = value;
      continue;
    }
    text += `${name}:${value}\n`;
    onTrailer(name, value);
  }
  if (expected && signatures) await signatures.checkTrailer(text, signature);
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

  checkChunk(sha256: string, signature: string | undefined): Promise<void> {
    return this.#check('AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, sha256], signature, 'a chunk');
  }

  checkTrailer(text: string, signature: string | undefined): Promise<void> {
    const sha256 = createHash('sha256').update(text, 'latin1').digest('hex');
    return this.#check('AWS4-HMAC-SHA256-TRAILER', [sha256], signature, 'the trailer');
  }

  async #check(
    algorithm: string,
    digests: readonly string[],
    signature: string | undefined,
    what: string,
  ): Promise<void> {
    const { timestamp, scope, sign } = this.#authentication;
    const expected = await sign([algorithm, timestamp, scope, this.#previous, ...digests].join('\n'));
    if (signature === undefined || !sameText(signature, expected)) {
      throw new S3Error('SignatureDoesNotMatch', `The signature of ${what} of the body does not match`);
    }
    this.#previous = expected;
  }
}
