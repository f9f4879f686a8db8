/** Blobs that are being read, whatever they are read from. */
import { Readable } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';
import { type ByteRange, type OpenBlob, SMALL_BYTES } from '../data-store.js';

/** How many bytes of a blob of `size` bytes `range` is. */
export function lengthOf(range: ByteRange | undefined, size: number): number {
  return range === undefined ? size : range.end - range.start + 1;
}

/** One whose bytes are all in memory. */
export class HeldBlob implements OpenBlob {
  readonly size: number;
  readonly range: ByteRange | undefined;
  readonly bytes: Buffer | undefined;
  #left: Buffer | undefined;

  /** @param held the bytes of `range` */
  constructor(size: number, range: ByteRange | undefined, held: Buffer) {
    this.size = size;
    this.range = range;
    this.bytes = held.length <= SMALL_BYTES ? held : undefined;
    this.#left = held.length > 0 ? held : undefined;
  }

  next(): Promise<Buffer | undefined> {
    const held = this.#left;
    this.#left = undefined;
    return Promise.resolve(held);
  }

  close(): void {
    this.#left = undefined;
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

/** One whose pieces come from a generator, which gives exactly the bytes of `range` or fails. */
export class PieceBlob implements OpenBlob {
  readonly size: number;
  readonly range: ByteRange | undefined;
  readonly bytes = undefined;
  readonly #pieces: AsyncIterator<Buffer>;
  readonly close: () => void;

  /** @param close frees all that is held, and makes a piece that is under way fail */
  constructor(size: number, range: ByteRange | undefined, pieces: AsyncIterator<Buffer>, close: () => void) {
    this.size = size;
    this.range = range;
    this.#pieces = pieces;
    this.close = close;
  }

  async next(): Promise<Buffer | undefined> {
    const result = await this.#pieces.next();
    return result.done === true ? undefined : result.value;
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
