/** A Writable over a file that brings what it wrote to the disk as it goes. */
import type { FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';

/** What waits for the disk while one write is under way. */
const BUFFERED_BYTES = 1024 * 1024;

/**
 * Bytes between two syncs, the later of which waits for the earlier. Without them the one at the end of a large upload
 * takes longer than clients wait, and a slow disk is felt by the sender only when the page cache is full.
 */
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

interface Chunk {
  readonly chunk: unknown;
}

/** Writes at the file's end. Finished means handed to the system: sync and close the handle then. */
export class FileWriter extends Writable {
  readonly #file: Pick<FileHandle, 'writev' | 'datasync'>;
  #unsynced = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: Pick<FileHandle, 'writev' | 'datasync'>) {
    super({ highWaterMark: BUFFERED_BYTES, decodeStrings: true });
    this.#file = file;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (err?: Error | null) => void): void {
    this.#append([chunk]).then(() => done(), done);
  }

  override _writev(chunks: readonly Chunk[], done: (err?: Error | null) => void): void {
    this.#append(chunks.map(({ chunk }) => chunk as Buffer)).then(() => done(), done);
  }

  override _final(done: (err?: Error | null) => void): void {
    // The system tells of a failed sync once only: the one that comes at the end would not fail again.
    this.#syncing.then(() => done(), done);
  }

  async #append(buffers: Buffer[]): Promise<void> {
    let rest = buffers;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.writev(rest);
      this.#unsynced += bytesWritten;
      rest = without(rest, bytesWritten);
    }
    if (this.#unsynced < SYNC_EVERY_BYTES) return;
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#file.datasync();
    // It is waited for later, or, when the upload fails before that, by nobody.
    this.#syncing.catch(() => undefined);
  }
}

/** `buffers` less their first `count` bytes: the system may write fewer than it was given. */
function without(buffers: readonly Buffer[], count: number): Buffer[] {
  const rest: Buffer[] = [];
  let skip = count;
  for (const buffer of buffers) {
    if (skip < buffer.length) rest.push(buffer.subarray(skip));
    skip = Math.max(0, skip - buffer.length);
  }
  return rest;
}
