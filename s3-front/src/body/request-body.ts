/** The body of a request: its size and digests as announced, and its bytes, checked as they flow. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Authentication } from '../auth/authenticate.js';
import { S3Error } from '../s3-errors.js';
import { CHUNKED_PAYLOADS, type ChunkedPayload, decodeAwsChunked } from './aws-chunked.js';
import {
  CHECKSUM_HEADER_PREFIX,
  CHECKSUMS,
  decodeDigest,
  type RunningDigest,
  startHash,
} from './checksums.js';

const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

/** A digest that the client sent, or will send in a trailer. */
interface ExpectedDigest {
  readonly running: RunningDigest;
  readonly bytes: number;
  readonly header: string;
  readonly error: 'BadDigest' | 'XAmzContentSHA256Mismatch';
  /** `undefined` until the trailer has come. */
  expected: Buffer | undefined;
}

export interface RequestBodyOptions {
  readonly message: IncomingMessage;
  readonly authentication: Authentication;
  /** Called before the first byte is read; a client that asked whether to send its body is told to go on here. */
  readonly onStart: () => void;
}

export class RequestBody {
  /** Bytes that the client announced, without the coding around them. */
  readonly size: number;
  readonly #options: RequestBodyOptions;
  readonly #chunked: ChunkedPayload | undefined;
  readonly #md5 = startHash('md5');
  readonly #digests: readonly ExpectedDigest[];
  #contentMd5 = '';

  /**
   * Reads no byte.
   * @throws S3Error MissingContentLength, InvalidDigest, InvalidRequest, InvalidArgument, NotImplemented
   */
  constructor(options: RequestBodyOptions) {
    const { headers } = options.message;
    const { payload } = options.authentication;
    this.#options = options;
    this.#chunked = chunkedPayload(payload);
    this.size = announcedSize(headers, this.#chunked !== undefined);
    this.#digests = [
      ...payloadDigest(payload),
      ...contentMd5(headers),
      ...checksumHeader(headers),
      ...checksumTrailer(headers, this.#chunked),
    ];
  }

  /** MD5 of the body in hex, once `read` has ended. */
  get md5(): string {
    return this.#contentMd5;
  }

  /** The headers `x-amz-checksum-…` that the body was found to match, for the answer. */
  get checksums(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.#digests
        .filter(({ header }) => header.startsWith(CHECKSUM_HEADER_PREFIX))
        .map(({ header, expected }) => [header, expected?.toString('base64') ?? '']),
    );
  }

  /**
   * The bytes, once. The last of them comes only when all digests and signatures were found right, so a
   * reader that stores nothing short of `size` bytes never stores a wrong body.
   * @throws S3Error IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch, InvalidRequest
   */
  async *read(): AsyncGenerator<Buffer, void, undefined> {
    this.#options.onStart();
    let held: Buffer | undefined;
    let received = 0;
    for await (const bytes of this.#decoded()) {
      received += bytes.length;
      if (received > this.size) throw new S3Error('InvalidRequest', 'The body is longer than announced');
      this.#md5.update(bytes);
      for (const { running } of this.#digests) running.update(bytes);
      if (held) yield held;
      held = bytes;
    }
    if (received < this.size) throw new S3Error('IncompleteBody');
    this.#contentMd5 = (await this.#md5.digest()).toString('hex');
    for (const digest of this.#digests) await check(digest);
    // The client has done its part; storing may take longer than a client may be silent.
    this.#options.message.socket.setTimeout(0);
    if (held) yield held;
  }

  /** @throws S3Error MaxMessageLengthExceeded, before anything is read, and the errors of `read` */
  async text(maxBytes: number): Promise<string> {
    if (this.size > maxBytes) {
      throw new S3Error('MaxMessageLengthExceeded', `The body must not be larger than ${maxBytes} bytes`);
    }
    const parts: Buffer[] = [];
    for await (const bytes of this.read()) parts.push(bytes);
    return Buffer.concat(parts).toString('utf8');
  }

  #decoded(): AsyncIterable<Buffer> {
    const { message, authentication } = this.#options;
    const source = received(message);
    if (this.#chunked === undefined) return source;
    return decodeAwsChunked({
      source,
      payload: this.#chunked,
      authentication,
      onTrailer: (name, value) => this.#takeTrailer(name, value),
    });
  }

  #takeTrailer(name: string, value: string): void {
    const digest = this.#digests.find(({ header, expected }) => header === name && expected === undefined);
    if (digest) digest.expected = parseDigest(name, value, digest.bytes);
  }
}

/** The message's bytes. The message itself stays open when its reader leaves early, for an answer to be sent. */
async function* received(message: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const bytes of message.iterator({ destroyOnReturn: false })) yield bytes as Buffer;
  } catch (err) {
    throw new S3Error('IncompleteBody', 'The connection ended before the body', { cause: err });
  }
}

function announcedSize(headers: IncomingHttpHeaders, chunked: boolean): number {
  const name = chunked ? 'x-amz-decoded-content-length' : 'content-length';
  const text = headers[name];
  if (text === undefined)
    throw new S3Error('MissingContentLength', `The request must have the header ${name}`);
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) {
    throw new S3Error('InvalidArgument', `${name} must be a number of bytes`);
  }
  return Number(text);
}

function chunkedPayload(payload: string): ChunkedPayload | undefined {
  if (Object.hasOwn(CHUNKED_PAYLOADS, payload)) return payload as ChunkedPayload;
  if (payload.startsWith('STREAMING-')) {
    throw new S3Error('NotImplemented', `The body's coding ${payload.slice(0, 100)} is not offered`);
  }
  return undefined;
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
      error: 'XAmzContentSHA256Mismatch',
      expected: Buffer.from(payload, 'hex'),
    },
  ];
}

function contentMd5(headers: IncomingHttpHeaders): ExpectedDigest[] {
  const text = headers['content-md5'];
  if (text === undefined) return [];
  const expected = parseDigest('Content-MD5', String(text), 16);
  return [{ running: startHash('md5'), bytes: 16, header: 'content-md5', error: 'BadDigest', expected }];
}

function checksumHeader(headers: IncomingHttpHeaders): ExpectedDigest[] {
  const sent = Object.keys(headers).filter(
    name =>
      name.startsWith(CHECKSUM_HEADER_PREFIX) &&
      !['x-amz-checksum-algorithm', 'x-amz-checksum-type', 'x-amz-checksum-mode'].includes(name),
  );
  if (sent.length > 1)
    throw new S3Error('InvalidRequest', 'A request may have one x-amz-checksum header only');
  return sent.map(header => expectChecksum(header, String(headers[header])));
}

function checksumTrailer(
  headers: IncomingHttpHeaders,
  chunked: ChunkedPayload | undefined,
): ExpectedDigest[] {
  const announced = headers['x-amz-trailer'];
  if (announced === undefined || chunked === undefined || !CHUNKED_PAYLOADS[chunked].trailer) return [];
  const names = String(announced)
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name.startsWith(CHECKSUM_HEADER_PREFIX));
  if (names.length > 1)
    throw new S3Error('InvalidRequest', 'A request may have one x-amz-checksum trailer only');
  return names.map(header => expectChecksum(header, undefined));
}

function expectChecksum(header: string, text: string | undefined): ExpectedDigest {
  const name = header.slice(CHECKSUM_HEADER_PREFIX.length);
  const algorithm = Object.hasOwn(CHECKSUMS, name) ? CHECKSUMS[name] : undefined;
  if (algorithm === undefined) {
    throw new S3Error(
      'InvalidRequest',
      `${header} is not known: expected ${CHECKSUM_HEADER_PREFIX} and one of ${Object.keys(CHECKSUMS).join(', ')}`,
    );
  }
  return {
    running: algorithm.start(),
    bytes: algorithm.bytes,
    header,
    error: 'BadDigest',
    expected: text === undefined ? undefined : parseDigest(header, text, algorithm.bytes),
  };
}

function parseDigest(header: string, text: string, bytes: number): Buffer {
  const digest = decodeDigest(text, bytes);
  if (!digest) throw new S3Error('InvalidDigest', `${header} must be ${bytes} bytes in base64`);
  return digest;
}

async function check({ running, header, expected, error }: ExpectedDigest): Promise<void> {
  if (expected === undefined) {
    throw new S3Error('InvalidRequest', `The trailer ${header} was announced and did not come`);
  }
  if (!(await running.digest()).equals(expected)) {
    throw new S3Error(error, `The body does not match ${header}`);
  }
}
