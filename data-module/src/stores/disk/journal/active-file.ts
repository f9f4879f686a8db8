/** The file of the journal that is appended to. */
import fs, { constants } from 'node:fs';
import path from 'node:path';
import { SYNCED_BY_WRITE } from '@zenko-modules/common/synced-write';
import { type FileCalls, NEW_FILE, type OpenFile } from '../file-calls.js';
import { writeAll } from '../file-writer.js';

export class ActiveFile {
  /** As `JournalName` has it. */
  readonly base: string;
  readonly file: OpenFile;
  readonly begun = performance.now();
  readonly #calls: FileCalls;
  readonly #path: string;
  #bytes = 0;

  private constructor(calls: FileCalls, base: string, file: OpenFile, at: string) {
    this.#calls = calls;
    this.base = base;
    this.file = file;
    this.#path = at;
  }

  /** Its name is on stable storage when it resolves. */
  static async create(calls: FileCalls, folder: string, base: string): Promise<ActiveFile> {
    const at = path.join(folder, base);
    const file = await calls.open(at, NEW_FILE | constants.O_APPEND | SYNCED_BY_WRITE);
    try {
      await calls.syncFolder(folder);
    } catch (err) {
      file.close();
      await calls.unlink(at).catch(() => undefined);
      throw err;
    }
    return new ActiveFile(calls, base, file, at);
  }

  /** Of records that count: what a call has written that failed is none. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The records are on stable storage, under the file's name, when it resolves; call it again only then. When it rejects they may be
   * all the same.
   */
  async append(records: readonly Buffer[]): Promise<void> {
    try {
      this.#bytes += await writeAll(records, this.file);
    } catch (err) {
      // What cannot be cut off is found by a start, under keys that were told to nobody.
      await this.file.truncate(this.#bytes).catch(() => undefined);
      throw err;
    }
    if (SYNCED_BY_WRITE === 0) await this.file.datasync();
    // Whoever takes the volume over renames the file before it reads it. Then this is not in what was read. The entry of a file that is
    // open stays in memory: there is nothing that a thread could wait for.
    fs.accessSync(this.#path);
  }

  /** Closes a file without a record that counts, and takes it away. When that fails it is as before. */
  async remove(): Promise<void> {
    try {
      await this.#calls.unlink(this.#path);
    } catch (err) {
      // Whoever took the volume over has renamed it.
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
    }
    this.file.close();
  }
}
