/** The body of a request: its size and digests as announced, and its bytes, checked as they flow. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Authentication } from '../auth/authenticate.js';
import { S3Error } from '../s3-errors.js';
import { CHUNKED_PAYLOADS, type ChunkedPayload, decodeAwsChunked } from './aws-chunked.js';
import {
  CHECKSUM_HEADER_PREFIX,
  type ChecksumName,
  CHECKSUMS,
  type RunningDigest,
  startHash,
} from './checksums.js';
import { checkDigest, type ExpectedDigest, expectedDigests, takeTrailer } from './expected-digests.js';

export interface RequestBodyOptions {
  readonly message: IncomingMessage;
  readonly authentication: Authentication;
  /** Called before the first byte is read; a client that asked whether to send its body is told to go on here. */
  readonly onStart: () => void;
  /** A checksum to compute, whether the client sends it or not. */
  readonly compute?: ChecksumName | undefined;
}

/** A checksum of a body, its value in base64. */
export interface BodyChecksum {
  readonly name: ChecksumName;
  readonly value: string;
}

export class RequestBody {
  /** Bytes that the client announced, without the coding around them. */
  readonly size: number;
  readonly #options: RequestBodyOptions;
  readonly #chunked: ChunkedPayload | undefined;
  readonly #md5 = startHash('md5');
  readonly #digests: readonly ExpectedDigest[];
  readonly #computed: { readonly name: ChecksumName; readonly running: RunningDigest } | undefined;
  #received = 0;
  #contentMd5 = '';
  #checksum: BodyChecksum | undefined;

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
    this.#digests = expectedDigests(headers, payload, this.#chunked);
    const { compute } = options;
    this.#computed =
      compute === undefined || this.announced === compute
        ? undefined
        : { name: compute, running: CHECKSUMS[compute].start() };
  }

  /** MD5 of the body in hex, once `read` has ended. */
  get md5(): string {
    return this.#contentMd5;
  }

  /** The checksum that the client sends. */
  get announced(): ChecksumName | undefined {
    return this.#digests.find(({ checksum }) => checksum !== undefined)?.checksum;
  }

  /** The checksum that was asked for, or that the client sent, once `read` has ended. */
  get checksum(): BodyChecksum | undefined {
    return this.#checksum;
  }

  /** The header `x-amz-checksum-…` for the answer, where there is a checksum. */
  get checksumHeaders(): Readonly<Record<string, string>> {
    return this.#checksum ? { [CHECKSUM_HEADER_PREFIX + this.#checksum.name]: this.#checksum.value } : {};
  }

  /**
   * The bytes, once. The last of them comes only when all digests and signatures were found right, so a
   * reader that stores nothing short of `size` bytes never stores a wrong body.
   * @throws S3Error IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, SignatureDoesNotMatch, InvalidRequest,
   * MalformedTrailerError
   */
  async *read(): AsyncGenerator<Buffer, void, undefined> {
    this.#options.onStart();
    let held: Buffer | undefined;
    for await (const bytes of this.#decoded()) {
      this.#take(bytes);
      if (held) yield held;
      held = bytes;
    }
    await this.#end();
    if (held) yield held;
  }

  /** @throws S3Error MaxMessageLengthExceeded, before anything is read, and the errors of `read` */
  async text(maxBytes: number): Promise<string> {
    if (this.size > maxBytes) {
      throw new S3Error('MaxMessageLengthExceeded', `The body must not be larger than ${maxBytes} bytes`);
    }
    return (await this.whole()).toString('utf8');
  }

  /** All of it, for bodies that are known to be small. @throws the errors of `read` */
  async whole(): Promise<Buffer> {
    const parts: Buffer[] = [];
    if (this.#chunked !== undefined) {
      for await (const bytes of this.read()) parts.push(bytes);
    } else {
      // For a body that comes in one piece, as most small ones do, iterators cost more than all else that is done with it.
      this.#options.onStart();
      await eachPiece(this.#options.message, bytes => {
        this.#take(bytes);
        parts.push(bytes);
      });
      await this.#end();
    }
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  #take(bytes: Buffer): void {
    this.#received += bytes.length;
    if (this.#received > this.size) throw new S3Error('InvalidRequest', 'The body is longer than announced');
    this.#md5.update(bytes);
    for (const { running } of this.#digests) running.update(bytes);
    this.#computed?.running.update(bytes);
  }

  /** To be called when all has come, before the last of it is passed on. */
  async #end(): Promise<void> {
    if (this.#received < this.size) throw new S3Error('IncompleteBody');
    refuseHttpTrailers(this.#options.message);
    this.#contentMd5 = (await this.#md5.digest()).toString('hex');
    for (const digest of this.#digests) {
      await checkDigest(digest);
      const { checksum: name, expected } = digest;
      if (name !== undefined) this.#checksum = { name, value: expected?.toString('base64') ?? '' };
    }
    if (this.#computed) {
      const { name, running } = this.#computed;
      this.#checksum = { name, value: (await running.digest()).toString('base64') };
    }
    // The client has done its part; storing may take longer than a client may be silent.
    this.#options.message.socket.setTimeout(0);
  }

  #decoded(): AsyncIterable<Buffer> {
    const { message, authentication } = this.#options;
    const source = received(message);
    if (this.#chunked === undefined) return source;
    return decodeAwsChunked({
      source,
      payload: this.#chunked,
      authentication,
      onTrailer: (name, value) => takeTrailer(this.#digests, name, value),
    });
  }
}

/** The message's bytes. The message itself stays open when its reader leaves early, for an answer to be sent. */
async function* received(message: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const bytes of message.iterator({ destroyOnReturn: false })) yield bytes as Buffer;
  } catch (err) {
    throw cutOff(err);
  }
}

/** Calls `take` with each piece of the message's body. Resolves at its end; rejects with what `take` throws. */
function eachPiece(message: IncomingMessage, take: (bytes: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onGone = (err?: Error): void => reject(cutOff(err ?? message.errored));
    if (message.destroyed) {
      onGone();
      return;
    }
    const onData = (bytes: Buffer): void => {
      try {
        take(bytes);
      } catch (err) {
        message.pause().off('data', onData);
        reject(err instanceof Error ? err : cutOff(err));
      }
    };
    message.on('data', onData).once('error', onGone).once('close', onGone);
    message.once('end', () => {
      message.off('close', onGone);
      resolve();
    });
  });
}

function cutOff(cause: unknown): S3Error {
  return new S3Error('IncompleteBody', 'The connection ended before the body', { cause });
}

/** Behind a chunked body of HTTP itself, where S3 has no checksums. */
function refuseHttpTrailers({ trailers }: IncomingMessage): void {
  if (Object.keys(trailers).some(name => name.startsWith('x-amz-')))
    throw new S3Error('MalformedTrailerError');
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
