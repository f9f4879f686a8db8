/** Reading blobs out of files. */
import fs, { constants } from 'node:fs';
import { CatalogueError } from '@zenko-modules/common/errors';
import { type ByteRange, type ChooseRange, type OpenBlob, SMALL_BYTES } from '../../data-store.js';
import { lengthOf, HeldBlob } from '../open-blobs.js';
import { BufferPool } from './buffer-pool.js';
import type { OpenFile } from './file-calls.js';

/** A piece of a large blob. Larger ones save calls, and each reader holds one. */
export const PIECE_BYTES = 256 * 1024;

const POOLED_BYTES = 8 * 1024 * 1024;

/** So many pieces are read at once before one is waited for, in which time others are served. */
const PIECES_AT_ONCE = 4;

/** Of a larger blob it is not likely that all of it is still in memory. */
const MAX_KNOWN_BYTES = 32 * 1024 * 1024;

/** What is known of a blob being in the memory of the system. */
export interface BlobMemory {
  /** See `CachedReads`. */
  atOnce<T>(read: () => T): T | undefined;
  /** All of the blob was read just now. */
  note(): void;
}

/** One byte more than a small blob has: whoever has so many is none. */
const FIRST_READ_BYTES = SMALL_BYTES + 1;

const pieces = new BufferPool(PIECE_BYTES, POOLED_BYTES);

/**
 * Opens what `choose` wants of the blob in `file`, which is closed with it. The first read tells the size of a small
 * blob: one that gives fewer bytes than it asks for has met the end of the file.
 */
export async function openBlobFile(
  file: OpenFile,
  choose: ChooseRange,
  memory?: BlobMemory,
): Promise<OpenBlob> {
  try {
    const buffer = pieces.take();
    const read =
      memory?.atOnce(() => file.readNow(buffer, FIRST_READ_BYTES, 0)) ??
      (await file.read(buffer, FIRST_READ_BYTES, 0));
    if (read === FIRST_READ_BYTES) return await openLargeFile(file, choose, buffer, memory);
    file.close();
    return takeOut(buffer, read, choose);
  } catch (err) {
    file.close();
    throw err;
  }
}

/**
 * Reads what `choose` wants of the small blob in `file`, without a thread: everything waits for it. `undefined` when it is
 * a large one.
 */
export function readSmallFile(file: string, choose: ChooseRange): OpenBlob | undefined {
  const fd = fs.openSync(file, constants.O_RDONLY);
  const buffer = pieces.take();
  let read = FIRST_READ_BYTES;
  try {
    read = fs.readSync(fd, buffer, 0, FIRST_READ_BYTES, 0);
  } finally {
    fs.closeSync(fd);
    if (read === FIRST_READ_BYTES) pieces.give(buffer);
  }
  return read === FIRST_READ_BYTES ? undefined : takeOut(buffer, read, choose);
}

/** The blob of `size` bytes in `buffer`, which is given back. */
function takeOut(buffer: Buffer, size: number, choose: ChooseRange): OpenBlob {
  try {
    const range = choose(size);
    const end = range === undefined ? size : range.end + 1;
    return new HeldBlob(size, range, Buffer.from(buffer.subarray(range?.start ?? 0, end)));
  } finally {
    pieces.give(buffer);
  }
}

/** @param first holds the first bytes of the file */
async function openLargeFile(
  file: OpenFile,
  choose: ChooseRange,
  first: Buffer,
  memory: BlobMemory | undefined,
): Promise<OpenBlob> {
  const size = await file.size();
  const range = choose(size);
  const length = lengthOf(range, size);
  if (length > SMALL_BYTES) return new LargeBlob(file, size, range, first, memory);
  pieces.give(first);
  const bytes = Buffer.allocUnsafe(length);
  const read = length === 0 ? 0 : await file.read(bytes, length, range?.start ?? 0);
  if (read !== length) throw truncated(length - read);
  file.close();
  return new HeldBlob(size, range, bytes);
}

class LargeBlob implements OpenBlob {
  readonly size: number;
  readonly range: ByteRange | undefined;
  readonly bytes = undefined;
  readonly #file: OpenFile;
  readonly #memory: BlobMemory | undefined;
  #position: number;
  #left: number;
  #buffer: Buffer;
  /** Bytes that `buffer` holds and that are to be given next. */
  #atHand: number;
  #isReading = false;
  /** Pieces since the last one that was waited for. */
  #atOnce = 0;
  #isClosed = false;

  constructor(
    file: OpenFile,
    size: number,
    range: ByteRange | undefined,
    first: Buffer,
    memory: BlobMemory | undefined,
  ) {
    this.#file = file;
    this.#memory = size <= MAX_KNOWN_BYTES ? memory : undefined;
    this.size = size;
    this.range = range;
    this.#position = range?.start ?? 0;
    this.#left = lengthOf(range, size);
    this.#buffer = first;
    this.#atHand = this.#position === 0 ? FIRST_READ_BYTES : 0;
  }

  async next(): Promise<Buffer | undefined> {
    if (this.#isClosed) throw new CatalogueError('InternalError', 'the blob is closed');
    if (this.#left === 0) return undefined;
    const count = this.#atHand > 0 ? Math.min(this.#atHand, this.#left) : await this.#read();
    this.#atHand = 0;
    if (count === 0) throw truncated(this.#left);
    this.#position += count;
    this.#left -= count;
    if (this.#left === 0 && this.range === undefined) this.#memory?.note();
    return this.#buffer.subarray(0, count);
  }

  async #read(): Promise<number> {
    const length = Math.min(this.#buffer.length, this.#left);
    if (this.#atOnce < PIECES_AT_ONCE) {
      const count = this.#memory?.atOnce(() => this.#file.readNow(this.#buffer, length, this.#position));
      if (count !== undefined) {
        this.#atOnce += 1;
        return count;
      }
    }
    this.#atOnce = 0;
    this.#isReading = true;
    const count = await this.#file.read(this.#buffer, length, this.#position);
    this.#isReading = false;
    if (!this.#isClosed) return count;
    this.#release();
    throw new CatalogueError('InternalError', 'the blob was closed while it was read');
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
    this.#release();
  }

  /** A buffer that a call may still write into is given to nobody else. */
  #release(): void {
    if (!this.#isReading) pieces.give(this.#buffer);
  }
}

function truncated(missing: number): CatalogueError {
  return new CatalogueError('InternalError', `the file of the blob ended ${missing} bytes early`);
}
