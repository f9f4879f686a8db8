/** Blobs that are being read, whatever they are read from. */
import { Readable } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { ByteRange, OpenBlob } from '../data-store.js';

/** How many bytes of a blob of `size` bytes `range` is. */
export function lengthOf(range: ByteRange | undefined, size: number): number {
  return range === undefined ? size : range.end - range.start + 1;
}

/** One whose bytes are at hand. */
export class SmallBlob implements OpenBlob {
  readonly size: number;
  readonly range: ByteRange | undefined;
  readonly bytes: Buffer;
  #isGiven = false;

  /** @param bytes those of `range` */
  constructor(size: number, range: ByteRange | undefined, bytes: Buffer) {
    this.size = size;
    this.range = range;
    this.bytes = bytes;
  }

  next(): Promise<Buffer | undefined> {
    const bytes = this.#isGiven || this.bytes.length === 0 ? undefined : this.bytes;
    this.#isGiven = true;
    return Promise.resolve(bytes);
  }

  close(): void {
    this.#isGiven = true;
  }
}

/** One that comes as a stream, which must give exactly the bytes of `range`. */
export class StreamedBlob implements OpenBlob {
  readonly size: number;
  readonly range: ByteRange | undefined;
  readonly bytes = undefined;
  readonly #stream: Readable;
  readonly #pieces: AsyncIterator<Buffer>;
  #left: number;

  constructor(size: number, range: ByteRange | undefined, stream: Readable) {
    this.size = size;
    this.range = range;
    this.#stream = stream;
    this.#pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#left = lengthOf(range, size);
    // Whoever calls `next` learns of it.
    stream.on('error', () => undefined);
  }

  async next(): Promise<Buffer | undefined> {
    const result = await this.#pieces.next();
    if (result.done === true) {
      if (this.#left > 0)
        throw new CatalogueError('InternalError', `the blob ended ${this.#left} bytes early`);
      return undefined;
    }
    const { value } = result;
    this.#left -= value.length;
    if (this.#left < 0) throw new CatalogueError('InternalError', 'the blob goes on after its size');
    return value;
  }

  close(): void {
    this.#stream.destroy();
  }
}

/** What an open blob gives, as a stream, which closes it. */
export function streamOf(blob: OpenBlob): Readable {
  const stream = new Readable({
    read() {
      blob.next().then(
        // A piece is valid only until the next is asked for.
        piece => stream.push(piece === undefined ? null : Buffer.from(piece)),
        (err: unknown) => stream.destroy(err as Error),
      );
    },
    destroy(err, done) {
      blob.close();
      done(err);
    },
  });
  return stream;
}
