/** The segment that is appended to. */
import { constants } from 'node:fs';
import { SYNCED_BY_WRITE } from '@zenko-modules/common/synced-write';
import { type FileCalls, NEW_FILE, type OpenFile } from '../disk/file-calls.js';
import { writeAll } from '../disk/file-writer.js';
import { RecordEntries } from './hint-file.js';
import { encodeSegmentHead, SEGMENT_HEAD_BYTES } from '../record-format.js';
import type { SegmentFiles } from './segment-files.js';

const NEW_SEGMENT = NEW_FILE | constants.O_APPEND | SYNCED_BY_WRITE;

/** The system has written nothing more then, and no sync has failed. */
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** What became of a segment in which an append has failed. */
export type AfterFailure = 'usable' | 'sealed' | 'removed';

export class ActiveSegment {
  readonly segment: number;
  readonly entries = new RecordEntries();
  readonly #files: SegmentFiles;
  readonly #calls: FileCalls;
  readonly #file: OpenFile;
  /** Bytes that are on stable storage, and count. */
  #size = 0;
  /** Nothing may be appended: what lies after `size`, or will, is not known. */
  #isUncertain = false;

  private constructor(files: SegmentFiles, calls: FileCalls, segment: number, file: OpenFile) {
    this.#files = files;
    this.#calls = calls;
    this.segment = segment;
    this.#file = file;
  }

  /** Makes the file. Rejects with EEXIST when there is one. */
  static async create(files: SegmentFiles, calls: FileCalls, segment: number): Promise<ActiveSegment> {
    return new ActiveSegment(
      files,
      calls,
      segment,
      await calls.open(files.segmentFile(segment), NEW_SEGMENT),
    );
  }

  /** Where the next record begins. */
  get end(): number {
    return Math.max(this.#size, SEGMENT_HEAD_BYTES);
  }

  /**
   * Appends whole records. They are on stable storage when it resolves; call it again only then.
   * @param check is called when they are. They do not count when it rejects
   */
  async append(records: readonly Buffer[], check: () => Promise<void>): Promise<void> {
    const isFirst = this.#size === 0;
    const buffers = isFirst ? [encodeSegmentHead(this.segment), ...records] : records;
    this.#isUncertain = true;
    try {
      await writeAll([...buffers], this.#file);
    } catch (err) {
      // A call that was given up may yet be made, and what a failed sync has left is not known.
      this.#isUncertain = !NO_ROOM.has((err as NodeJS.ErrnoException).code ?? '');
      throw err;
    }
    if (SYNCED_BY_WRITE === 0) await this.#file.datasync();
    if (isFirst) await this.#calls.syncFolder(this.#files.folder);
    this.#isUncertain = false;
    await check();
    this.#size += buffers.reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * After an append that has failed: removes what it wrote.
   * @returns `sealed` when nothing may be appended any more: its end could not be cut off, or what a failed sync left
   * in the page cache cannot be trusted. `removed`: it is closed as well.
   */
  async undo(): Promise<AfterFailure> {
    if (this.#size === 0) {
      this.close();
      await this.#calls.unlink(this.#files.segmentFile(this.segment));
      return 'removed';
    }
    try {
      await this.#file.truncate(this.#size);
    } catch {
      // The bytes stay, and whole records among them are found by the next start: blobs whose keys nobody knows.
      return 'sealed';
    }
    return this.#isUncertain ? 'sealed' : 'usable';
  }

  close(): void {
    this.#file.close();
  }
}
