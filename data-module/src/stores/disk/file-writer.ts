/** Writing an upload into a file, and bringing it to the disk as it goes. */
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import type { BlobChecksum } from '../../data-store.js';
import type { OpenFile } from './file-calls.js';
import { PacedSource } from './paced-source.js';

/** What one call to the system writes, about; as much is read meanwhile. */
const BATCH_BYTES = 256 * 1024;

/**
 * Bytes between two syncs, the later of which waits for the earlier. Without them the one at the end of a large upload
 * takes longer than clients wait, and a slow disk is felt by the sender only when the page cache is full.
 */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/**
 * What an upload holds at most: a batch that is written, one that is read, and as much again on the way there; or two buffers
 * for writes past the page cache, which are twice as large, and what is on the way. A download holds less.
 */
export const TRANSFER_MEMORY_BYTES = 5 * BATCH_BYTES;

type Appendable = Pick<OpenFile, 'write' | 'datasync'>;

/** Writes all of `source`. Resolves, with what came in, when the system has taken every byte; sync the file then. */
export async function writeStream(source: Readable, file: Appendable): Promise<BlobChecksum> {
  const batches = new Batches(source);
  const syncs = new SyncsBeside(file);
  let [length, checksum] = [0, 0];
  for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
    for (const buffer of batch) checksum = crc32c(buffer, checksum);
    const written = await writeAll(batch, file);
    length += written;
    await syncs.wrote(written);
  }
  await syncs.end();
  return { length, checksum };
}

/** Syncs a file while it is written. */
export class SyncsBeside {
  readonly #file: Pick<OpenFile, 'datasync'>;
  #unsynced = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: Pick<OpenFile, 'datasync'>) {
    this.#file = file;
  }

  /** So many bytes more are in the page cache. Resolves when the next may follow, rejects when a sync has failed. */
  async wrote(bytes: number): Promise<void> {
    this.#unsynced += bytes;
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#file.datasync();
    // It is waited for later, or, when the upload fails before that, by nobody.
    this.#syncing.catch(() => undefined);
  }

  /** The system tells of a failed sync once only: the one that comes after all writes would not fail again. */
  end(): Promise<void> {
    return this.#syncing;
  }
}

/** Writes all of `buffers`: the system may take fewer at once. Resolves with the number of bytes. */
export async function writeAll(buffers: readonly Buffer[], file: Pick<OpenFile, 'write'>): Promise<number> {
  let written = 0;
  for (let rest = buffers; rest.length > 0;) {
    const count = await file.write(rest);
    written += count;
    rest = without(rest, count);
  }
  return written;
}

/** `buffers` less their first `count` bytes. */
function without(buffers: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = count;
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(buffer.subarray(skip));
    skip = Math.max(0, skip - buffer.length);
  }
  return rest;
}

/** A stream in batches of about `BATCH_BYTES`, one of them read ahead. */
class Batches {
  readonly #source: PacedSource;
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(source: Readable) {
    const take = (chunk: Buffer): void => {
      this.#chunks.push(chunk);
      this.#held += chunk.length;
    };
    this.#source = new PacedSource(source, take, () => this.#held >= BATCH_BYTES);
  }

  /** Resolves with the next batch, `undefined` at the end. */
  async next(): Promise<readonly Buffer[] | undefined> {
    await this.#source.enough();
    if (this.#held === 0) return undefined;
    const batch = this.#chunks;
    this.#chunks = [];
    this.#held = 0;
    this.#source.resume();
    return batch;
  }
}
