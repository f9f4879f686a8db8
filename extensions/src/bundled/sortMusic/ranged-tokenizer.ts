/** Lets a parser read an object in S3 as it needs: in blocks, by range, from wherever it wants to. */
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import {
  AbstractTokenizer,
  EndOfStreamError,
  type IRandomAccessFileInfo,
  type IReadChunkOptions,
} from 'strtok3';
import { PermanentError } from '../../framework/contract/processor-errors.js';
import type { Place } from '../move/same-object.js';

const BLOCK_BYTES = 64 * 1024;
/** Blocks that are kept: parsers go back and forth in small steps. */
const MAX_BLOCKS = 8;

export interface RangedSource {
  readonly s3: S3Client;
  readonly place: Place;
  readonly size: number;
  readonly mimeType: string | undefined;
  /** Every part must be of this object. */
  readonly etag: string | undefined;
  /** More than this is not read in all. */
  readonly maxReadBytes: number;
  readonly signal: AbortSignal;
}

export class RangedTokenizer extends AbstractTokenizer {
  override fileInfo: IRandomAccessFileInfo;
  readonly #source: RangedSource;
  readonly #blocks = new Map<number, Promise<Uint8Array>>();
  #bytesRead = 0;

  constructor(source: RangedSource) {
    super({ abortSignal: source.signal });
    this.#source = source;
    this.fileInfo = {
      size: source.size,
      ...(source.mimeType !== undefined && { mimeType: source.mimeType }),
    };
  }

  /** Bytes that were fetched so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  override supportsRandomAccess(): boolean {
    return true;
  }

  setPosition(position: number): void {
    this.position = position;
  }

  override async readBuffer(target: Uint8Array, options?: IReadChunkOptions): Promise<number> {
    const start = options?.position ?? this.position;
    const bytes = await this.peekBuffer(target, options);
    this.position = start + bytes;
    return bytes;
  }

  override async peekBuffer(target: Uint8Array, options: IReadChunkOptions = {}): Promise<number> {
    const { position = this.position, length = target.length, mayBeLess = false } = options;
    const available = Math.max(0, Math.min(length, this.fileInfo.size - position));
    if (available < length && !mayBeLess) throw new EndOfStreamError();
    for (let done = 0; done < available;) {
      const at = position + done;
      const block = await this.#block(Math.floor(at / BLOCK_BYTES));
      const part = block.subarray(at % BLOCK_BYTES).subarray(0, available - done);
      if (part.length === 0) throw new EndOfStreamError();
      target.set(part, done);
      done += part.length;
    }
    return available;
  }

  #block(index: number): Promise<Uint8Array> {
    const known = this.#blocks.get(index);
    if (known) return known;
    const block = this.#fetch(index * BLOCK_BYTES);
    this.#blocks.set(index, block);
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > MAX_BLOCKS && oldest !== undefined) this.#blocks.delete(oldest);
    return block;
  }

  async #fetch(start: number): Promise<Uint8Array> {
    const { s3, place, etag, maxReadBytes, signal, size } = this.#source;
    const end = Math.min(start + BLOCK_BYTES, size);
    this.#bytesRead += end - start;
    if (this.#bytesRead > maxReadBytes) {
      throw new PermanentError(
        `the tags of ${place.Bucket}/${place.Key} are not within ${maxReadBytes} bytes`,
      );
    }
    const command = new GetObjectCommand({ ...place, IfMatch: etag, Range: `bytes=${start}-${end - 1}` });
    const { Body } = await s3.send(command, { abortSignal: signal });
    return (await Body?.transformToByteArray()) ?? new Uint8Array();
  }
}
