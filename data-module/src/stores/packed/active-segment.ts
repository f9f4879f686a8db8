/** The segment that is appended to. */
import { close, fdatasync, ftruncate, open, writev } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { RecordEntries } from './hint-file.js';
import { encodeSegmentHead, SEGMENT_HEAD_BYTES } from './record-format.js';
import type { SegmentFiles } from './segment-files.js';

const openFile = promisify(open);
const closeFile = promisify(close);
const sync = promisify(fdatasync);
const truncate = promisify(ftruncate);

/** What became of a segment in which an append has failed. */
export type AfterFailure = 'usable' | 'sealed' | 'removed';

export class ActiveSegment {
  readonly segment: number;
  readonly entries = new RecordEntries();
  readonly #files: SegmentFiles;
  readonly #file: number;
  /** Bytes that are on stable storage. */
  #size = 0;

  private constructor(files: SegmentFiles, segment: number, file: number) {
    this.#files = files;
    this.segment = segment;
    this.#file = file;
  }

  /** Makes the file. Rejects with EEXIST when there is one. */
  static async create(files: SegmentFiles, segment: number): Promise<ActiveSegment> {
    return new ActiveSegment(files, segment, await openFile(files.segmentFile(segment), 'wx'));
  }

  /** Where the next record begins. */
  get end(): number {
    return Math.max(this.#size, SEGMENT_HEAD_BYTES);
  }

  /** Appends whole records. They are on stable storage when it resolves; call it again only then. */
  async append(records: readonly Buffer[]): Promise<void> {
    const isFirst = this.#size === 0;
    const buffers = isFirst ? [encodeSegmentHead(this.segment), ...records] : records;
    const end = await this.#write(buffers, this.#size);
    await sync(this.#file);
    if (isFirst) await syncFolder(this.#files.folder);
    this.#size = end;
  }

  /**
   * After an append that has failed: removes what it wrote.
   * @returns `sealed` when nothing may be appended any more: its end could not be cut off, or what a failed sync left
   * in the page cache cannot be trusted. `close` it then.
   */
  async undo(hasSyncFailed: boolean): Promise<AfterFailure> {
    if (this.#size === 0) {
      await this.close();
      await rm(this.#files.segmentFile(this.segment), { force: true });
      return 'removed';
    }
    try {
      await truncate(this.#file, this.#size);
    } catch {
      // The bytes stay, and whole records among them are found by the next start: blobs whose keys nobody knows.
      return 'sealed';
    }
    return hasSyncFailed ? 'sealed' : 'usable';
  }

  close(): Promise<void> {
    return closeFile(this.#file);
  }

  async #write(buffers: readonly Buffer[], from: number): Promise<number> {
    let rest = buffers;
    let at = from;
    while (rest.length > 0) {
      const written = await writeSome(this.#file, rest, at);
      at += written;
      rest = without(rest, written);
    }
    return at;
  }
}

function writeSome(file: number, buffers: readonly Buffer[], at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(file, buffers, at, (err, written) => {
      if (err) reject(err);
      else resolve(written);
    });
  });
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
