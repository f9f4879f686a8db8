/** The calls to the cluster: each within a deadline, tried again where that can double nothing. */
import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { crc32c } from '@node-rs/crc32';
import { linkSignals, onAbort } from '@zenko-modules/common/abort';
import { DeadlineError, withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { ByteRange } from '../../data-store.js';
import { isNoSuchUpload, nameS3Error } from './s3-errors.js';

/** Also of a call whose answer was lost: the same name is only ever given to the same bytes. */
const ATTEMPTS = 2;
/** A transfer may be this slow, in bytes per millisecond, and not slower. */
const SLOWEST = 64;

export interface S3CallsOptions {
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly pathStyle: boolean;
  readonly bucket: string;
  readonly timeoutMs: number;
}

/** Bytes of an object that are being read. */
export interface ObjectBytes {
  /** Of the whole object, and of the bytes that come, which are fewer when it ends before. */
  readonly objectBytes: number;
  readonly length: number;
  readonly lastModified: Date | undefined;
  /** Whether it was uploaded in parts. */
  readonly hasParts: boolean;
  /** Fails with an error of the catalogue, also when fewer bytes come than `length`, or none within the deadline. */
  readonly pieces: AsyncIterable<Buffer>;
}

export interface OpenUpload {
  readonly name: string;
  readonly uploadId: string;
  readonly startedAt: Date | undefined;
}

/** Every rejection is a `CatalogueError`. */
export class S3Calls {
  readonly #options: S3CallsOptions;
  readonly #agents = {
    httpAgent: new http.Agent({ keepAlive: true }),
    httpsAgent: new https.Agent({ keepAlive: true }),
  };
  /** `reads` may stand still as long as who reads them does; `once` is never tried again. */
  readonly #clients: Readonly<Record<'calls' | 'once' | 'reads', S3Client>>;

  constructor(options: S3CallsOptions) {
    this.#options = options;
    const { endpoint, region, credentials, pathStyle, timeoutMs } = options;
    const connectionTimeout = timeoutMs;
    const shared: S3ClientConfig = {
      region,
      forcePathStyle: pathStyle,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
    };
    const calls = { ...this.#agents, connectionTimeout, socketTimeout: timeoutMs };
    const reads = {
      ...this.#agents,
      connectionTimeout,
      socketTimeout: 0,
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
    };
    this.#clients = {
      calls: new S3Client({ ...shared, maxAttempts: ATTEMPTS, requestHandler: calls }),
      once: new S3Client({ ...shared, maxAttempts: 1, requestHandler: calls }),
      reads: new S3Client({ ...shared, maxAttempts: ATTEMPTS, requestHandler: reads }),
    };
  }

  /** The time by the cluster's clock, as far as it has told it. */
  now(): number {
    return Date.now() + this.#clients.calls.config.systemClockOffset;
  }

  async putObject(name: string, bytes: Buffer): Promise<void> {
    const put = new PutObjectCommand({
      ...this.#at(name),
      Body: bytes,
      ContentLength: bytes.length,
      ContentType: 'application/octet-stream',
      ChecksumCRC32C: checksumOf(bytes),
    });
    await this.#call(bytes.length, abortSignal => this.#clients.calls.send(put, { abortSignal }));
  }

  /** Not tried again: an upload whose id is lost would stay until the sweep. */
  async createUpload(name: string): Promise<string> {
    const create = new CreateMultipartUploadCommand({
      ...this.#at(name),
      ContentType: 'application/octet-stream',
      ChecksumAlgorithm: 'CRC32C',
    });
    const { UploadId } = await this.#call(0, abortSignal => this.#clients.once.send(create, { abortSignal }));
    if (UploadId === undefined) throw notS3('it gave no UploadId');
    return UploadId;
  }

  async uploadPart(name: string, uploadId: string, number: number, bytes: Buffer): Promise<CompletedPart> {
    const ChecksumCRC32C = checksumOf(bytes);
    const upload = new UploadPartCommand({
      ...this.#at(name),
      UploadId: uploadId,
      PartNumber: number,
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumCRC32C,
    });
    const answer = await this.#call(bytes.length, abortSignal =>
      this.#clients.calls.send(upload, { abortSignal }),
    );
    if (answer.ETag === undefined) throw notS3('it gave no ETag');
    return { PartNumber: number, ETag: answer.ETag, ChecksumCRC32C };
  }

  async completeUpload(name: string, uploadId: string, parts: CompletedPart[]): Promise<void> {
    const complete = new CompleteMultipartUploadCommand({
      ...this.#at(name),
      UploadId: uploadId,
      MultipartUpload: { Parts: parts },
    });
    await this.#call(0, abortSignal => this.#clients.calls.send(complete, { abortSignal }));
  }

  /** Resolves also when there is no such upload any more. Abort `signal` to wait no longer. */
  async abortUpload(name: string, uploadId: string, signal?: AbortSignal): Promise<void> {
    const abort = new AbortMultipartUploadCommand({ ...this.#at(name), UploadId: uploadId });
    await this.#call(
      0,
      async abortSignal => {
        try {
          await this.#clients.calls.send(abort, { abortSignal });
        } catch (err) {
          if (!isNoSuchUpload(err)) throw err;
        }
      },
      signal,
    );
  }

  /** Resolves also when there is no such object. */
  async deleteObject(name: string): Promise<void> {
    const remove = new DeleteObjectCommand(this.#at(name));
    await this.#call(0, abortSignal => this.#clients.calls.send(remove, { abortSignal }));
  }

  /**
   * Resolves when the first bytes can be read. `range` may end behind the object. Abort `signal` to let go of them: whoever
   * reads them then gets an error.
   */
  async read(name: string, { start, end }: ByteRange, signal?: AbortSignal): Promise<ObjectBytes> {
    const get = new GetObjectCommand({ ...this.#at(name), Range: `bytes=${start}-${end}` });
    const {
      Body: body,
      ContentLength,
      ContentRange,
      LastModified: lastModified,
      ETag: etag = '',
    } = await this.#call(0, abortSignal => this.#clients.reads.send(get, { abortSignal }));
    if (!(body instanceof Readable)) throw notS3('it gave no body');
    // Whoever reads it learns of it.
    body.on('error', () => undefined);
    const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange ?? '') ?? [];
    const objectBytes = Number(total);
    const length = Math.min(end + 1, objectBytes) - start;
    if (Number(from) !== start || Number(to) !== start + length - 1 || ContentLength !== length) {
      body.destroy();
      throw notS3(
        `it answers bytes=${start}-${end} with "${ContentRange ?? ''}", ${ContentLength ?? 0} bytes`,
      );
    }
    if (signal !== undefined)
      body.once(
        'close',
        onAbort(signal, () => body.destroy()),
      );
    return {
      objectBytes,
      length,
      lastModified,
      hasParts: etag.includes('-'),
      pieces: this.#pieces(body, length),
    };
  }

  async checkBucket(): Promise<void> {
    const head = new HeadBucketCommand({ Bucket: this.#options.bucket });
    await this.#call(0, async abortSignal => {
      try {
        await this.#clients.calls.send(head, { abortSignal });
      } catch (err) {
        const named = nameS3Error(err);
        if (named.type !== 'ObjNotFound') throw named;
        throw new CatalogueError('ServiceUnavailable', 'S3_STORE_BUCKET: there is no such bucket', {
          cause: err,
        });
      }
    });
  }

  /** The names that begin with `prefix`. */
  async *listNames(prefix: string): AsyncGenerator<string, void> {
    let token: string | undefined;
    do {
      const list = new ListObjectsV2Command({
        Bucket: this.#options.bucket,
        Prefix: prefix,
        ContinuationToken: token,
      });
      const page = await this.#call(0, abortSignal => this.#clients.calls.send(list, { abortSignal }));
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** The multipart uploads under `prefix` that have neither been completed nor aborted. Abort `signal` to wait no longer. */
  async *listUploads(prefix: string, signal?: AbortSignal): AsyncGenerator<OpenUpload, void> {
    let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined = {};
    while (marker !== undefined) {
      const list: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: this.#options.bucket,
        Prefix: prefix,
        ...marker,
      });
      const page = await this.#call(
        0,
        abortSignal => this.#clients.calls.send(list, { abortSignal }),
        signal,
      );
      for (const { Key: name, UploadId: uploadId, Initiated: startedAt } of page.Uploads ?? [])
        if (name !== undefined && uploadId !== undefined) yield { name, uploadId, startedAt };
      marker =
        page.IsTruncated === true && page.NextKeyMarker !== undefined
          ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
          : undefined;
    }
  }

  close(): void {
    for (const client of Object.values(this.#clients)) client.destroy();
    for (const agent of Object.values(this.#agents)) agent.destroy();
  }

  #at(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#options.bucket, Key: name };
  }

  /** Rejects soon after `stop` is aborted, too. */
  async #call<T>(bytes: number, work: (signal: AbortSignal) => Promise<T>, stop?: AbortSignal): Promise<T> {
    const ms = (ATTEMPTS + 1) * this.#options.timeoutMs + (ATTEMPTS * bytes) / SLOWEST;
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(), ms);
    const ends = linkSignals(overdue.signal, ...(stop === undefined ? [] : [stop]));
    try {
      return await work(ends.signal);
    } catch (err) {
      throw nameS3Error(overdue.signal.aborted ? new DeadlineError('the call', ms) : err);
    } finally {
      clearTimeout(timer);
      ends.release();
    }
  }

  async *#pieces(body: Readable, length: number): AsyncGenerator<Buffer, void> {
    const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    let left = length;
    try {
      for (;;) {
        const next = await withDeadline(pieces.next(), this.#options.timeoutMs, 'the next bytes');
        if (next.done === true) break;
        left -= next.value.length;
        if (left < 0) break;
        yield next.value;
      }
    } catch (err) {
      throw nameS3Error(err);
    } finally {
      body.destroy();
    }
    if (left !== 0) throw notS3(`of ${length} bytes ${left < 0 ? 'more' : `only ${length - left}`} came`);
  }
}

/** Reads to the end, so that the connection can be used again. */
export async function drain({ pieces }: ObjectBytes): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

/** As S3 writes it: big-endian, in base64. */
function checksumOf(bytes: Buffer): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32c(bytes));
  return checksum.toString('base64');
}

function notS3(what: string): CatalogueError {
  return new CatalogueError('InternalError', `the cluster does not answer as S3 does: ${what}`);
}
