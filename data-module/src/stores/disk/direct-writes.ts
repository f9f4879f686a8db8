/**
 * Writes large uploads past the page cache of the system, where the file system takes that: to copy them there and to find
 * room for them costs several times what all else of an upload does, and pushes out what is read. The file is written through
 * two descriptors: whole blocks past the cache, and what is left of them, at the end, through it.
 */
import { constants } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Logger } from '@zenko-modules/common/logger';
import type { BlobChecksum } from '../../data-store.js';
import { AlignedBuffers, type Lease } from './aligned-buffers.js';
import type { FileCalls, OpenFile } from './file-calls.js';
import { SyncsBeside } from './file-writer.js';
import { FilledBuffers } from './filled-buffers.js';

/** What one call to the system writes. */
export const DIRECT_BYTES = 512 * 1024;

/** Writes past the cache begin and end at multiples of this: no disk has larger blocks. */
const BLOCK_BYTES = 4096;

/** By these a system says that it does not take such writes. */
const REFUSALS: ReadonlySet<string | undefined> = new Set(['EINVAL', 'EOPNOTSUPP', 'ENOTSUP']);

export const directBuffers = new AlignedBuffers(DIRECT_BYTES);

export interface DirectWritesOptions {
  readonly calls: Pick<FileCalls, 'open'>;
  /** The least size of an upload that is written so. */
  readonly fromBytes: number;
  readonly log: Logger;
}

/** Those of one volume. */
export class DirectWrites {
  readonly #calls: Pick<FileCalls, 'open'>;
  readonly #fromBytes: number;
  readonly #log: Logger;
  #isRefused = false;

  constructor({ calls, fromBytes, log }: DirectWritesOptions) {
    this.#calls = calls;
    this.#fromBytes = fromBytes;
    this.#log = log;
  }

  /** Whether an upload of `size` bytes is to be written so. */
  takes(size: number): boolean {
    return !this.#isRefused && size >= this.#fromBytes;
  }

  /**
   * Writes all of `source` into `file`, an empty one at `path`. Resolves, with what came in, when the system has taken every
   * byte; sync the file then, which brings along what went past the cache.
   */
  async write(source: Readable, file: OpenFile, path: string): Promise<BlobChecksum> {
    const filled = new FilledBuffers(source, directBuffers);
    const syncs = new SyncsBeside(file);
    let direct: OpenFile | undefined;
    try {
      direct = await this.#open(path);
      let length = 0;
      for (let next = await filled.next(); next !== undefined; next = await filled.next()) {
        const { lease, bytes } = next;
        const written = await this.#writeBlocks(direct, bytes, length, lease);
        // Only now: what is in the cache and what is not are never written at the same time.
        await writeRest(file, bytes.subarray(written), length + written, lease);
        length += bytes.length;
        await syncs.wrote(bytes.length - written);
      }
      await syncs.end();
      return { length, checksum: filled.checksum };
    } finally {
      filled.close();
      direct?.close();
    }
  }

  async #open(path: string): Promise<OpenFile | undefined> {
    try {
      return await this.#calls.open(path, constants.O_WRONLY | constants.O_DIRECT);
    } catch (err) {
      this.#refuse(err);
      return undefined;
    }
  }

  /** Writes what it can of the whole blocks of `bytes`; resolves with how many bytes. What is left goes the other way. */
  async #writeBlocks(
    direct: OpenFile | undefined,
    bytes: Buffer,
    position: number,
    lease: Lease,
  ): Promise<number> {
    const whole = blocksIn(bytes.length);
    let written = 0;
    while (direct !== undefined && !this.#isRefused && written < whole) {
      try {
        const count = await direct.writeAt(bytes.subarray(written, whole), position + written, lease);
        if (count < BLOCK_BYTES) break;
        written += blocksIn(count);
      } catch (err) {
        this.#refuse(err);
      }
    }
    return written;
  }

  /** @throws the error when it is no refusal */
  #refuse(err: unknown): void {
    if (!REFUSALS.has((err as NodeJS.ErrnoException).code)) throw err;
    if (this.#isRefused) return;
    this.#isRefused = true;
    this.#log.info({ err }, 'the file system takes no writes past its cache: large uploads go through it');
  }
}

async function writeRest(file: OpenFile, bytes: Buffer, position: number, lease: Lease): Promise<void> {
  for (let written = 0; written < bytes.length;)
    written += await file.writeAt(bytes.subarray(written), position + written, lease);
}

function blocksIn(bytes: number): number {
  return bytes - (bytes % BLOCK_BYTES);
}
