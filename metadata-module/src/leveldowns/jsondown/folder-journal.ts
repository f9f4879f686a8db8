/** A journal that is a file. */
import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { messageOf } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { orUnavailable } from './files.js';
import type { JsonJournal } from './storage.js';

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
/** What is written to see whether there is room, at a time: text without a newline, which no file system makes smaller by much. */
const TRIAL_BYTES = 65_536;

export class FolderJournal implements JsonJournal {
  readonly #file: string;
  readonly #handle: FileHandle;
  #bytes: number;
  #usable = true;
  /** Bytes of the last append, when there was no room for them. */
  #refusedBytes = 0;

  private constructor(file: string, handle: FileHandle, bytes: number) {
    this.#file = file;
    this.#handle = handle;
    this.#bytes = bytes;
  }

  /**
   * Opens a file that is there. What it holds behind byte `end` is cut off, and the newline there is added
   * when the line is not `complete`, durably.
   */
  static async resume(file: string, end: number, complete: boolean): Promise<FolderJournal> {
    const handle = await open(file, 'r+');
    try {
      await handle.truncate(end);
      if (!complete) await handle.write('\n', end);
      await handle.sync();
    } catch (err) {
      await handle.close();
      throw err;
    }
    return new FolderJournal(file, handle, end + (complete ? 0 : 1));
  }

  get bytes(): number {
    return this.#bytes;
  }

  get usable(): boolean {
    return this.#usable;
  }

  async append(line: string, sync: boolean): Promise<void> {
    if (!this.#usable) throw unavailable(`${this.#file} cannot be written since an earlier failure`);
    const bytes = Buffer.from(`${line}\n`);
    try {
      await this.#write(bytes, this.#bytes);
      if (sync) await this.#sync();
    } catch (err) {
      if (FULL.has((err as NodeJS.ErrnoException).code)) this.#refusedBytes = bytes.length;
      await this.#takeBack(err);
      throw unavailable(`${this.#file} cannot be written: ${messageOf(err)}`, err);
    }
    this.#bytes += bytes.length;
    this.#refusedBytes = 0;
    if (!sync) return;
    try {
      await this.check();
    } catch (err) {
      // The line is there: its number must not be given to another.
      this.#usable = false;
      throw err;
    }
  }

  async check(): Promise<void> {
    const { nlink } = await orUnavailable(this.#file, () => this.#handle.stat());
    if (nlink === 0) {
      this.#usable = false;
      throw unavailable(`${this.#file} was removed while it was in use`);
    }
    if (this.#usable && this.#refusedBytes > 0) await this.#tryRoom(this.#refusedBytes);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /**
   * Writes as much behind the last line as an append had no room for, and takes it back. What a crash leaves of it is a
   * line without its end, which the next start cuts off.
   */
  async #tryRoom(bytes: number): Promise<void> {
    const trial = Buffer.from(randomBytes((TRIAL_BYTES / 4) * 3).toString('base64'));
    try {
      for (let tried = 0; tried < bytes; tried += TRIAL_BYTES)
        await this.#write(trial.subarray(0, bytes - tried), this.#bytes + tried);
    } catch (err) {
      await this.#takeBack(err);
      throw unavailable(`${this.#file} cannot be written: ${messageOf(err)}`, err);
    }
    await this.#takeBack(undefined);
  }

  async #write(bytes: Buffer, at: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const result = await this.#handle.write(bytes, written, bytes.length - written, at + written);
      written += result.bytesWritten;
    }
  }

  /** What a failed sync leaves on the disk is unknown, and a second one may say that all is well. */
  async #sync(): Promise<void> {
    try {
      await this.#handle.datasync();
    } catch (err) {
      this.#usable = false;
      throw err;
    }
  }

  /** Removes what was written behind the last line. */
  async #takeBack(failure: unknown): Promise<void> {
    try {
      await this.#handle.truncate(this.#bytes);
    } catch (err) {
      this.#usable = false;
      const before = failure === undefined ? '' : `${messageOf(failure)}; `;
      const what = `${before}what was written cannot be taken back: ${messageOf(err)}`;
      throw unavailable(`${this.#file} cannot be written: ${what}`, err);
    }
  }
}

function unavailable(message: string, cause?: unknown): LevelError {
  return new LevelError(LEVEL_ERRORS.unavailable, message, { cause });
}
