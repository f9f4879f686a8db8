/** A journal that is a file. */
import { open, type FileHandle } from 'node:fs/promises';
import { messageOf } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { orUnavailable } from './files.js';
import type { JsonJournal } from './storage.js';

export class FolderJournal implements JsonJournal {
  readonly #file: string;
  readonly #handle: FileHandle;
  #bytes: number;
  #usable = true;

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
      await this.#write(bytes);
      if (sync) await this.#sync();
    } catch (err) {
      await this.#takeBack(err);
      throw unavailable(`${this.#file} cannot be written: ${messageOf(err)}`, err);
    }
    this.#bytes += bytes.length;
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
    if (nlink > 0) return;
    this.#usable = false;
    throw unavailable(`${this.#file} was removed while it was in use`);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #write(bytes: Buffer): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const at = this.#bytes + written;
      const result = await this.#handle.write(bytes, written, bytes.length - written, at);
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

  /** Removes what a failed write has left behind the last line. */
  async #takeBack(failure: unknown): Promise<void> {
    try {
      await this.#handle.truncate(this.#bytes);
    } catch (err) {
      this.#usable = false;
      const what = `${messageOf(failure)}; what was written cannot be taken back: ${messageOf(err)}`;
      throw unavailable(`${this.#file} cannot be written: ${what}`, err);
    }
  }
}

function unavailable(message: string, cause?: unknown): LevelError {
  return new LevelError(LEVEL_ERRORS.unavailable, message, { cause });
}
