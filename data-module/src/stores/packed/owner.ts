/** Which process writes to the store: the one that opened it last. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import type { FileCalls } from '../disk/file-calls.js';

/** Another process writes to the store from now on. */
export class TakenOverError extends CatalogueError {}

export class Owner {
  readonly #file: string;
  /** Our own file. It stays open, so that the file of another process cannot get its number. */
  readonly #handle: FileHandle;
  readonly #inode: bigint;
  readonly #calls: FileCalls;
  readonly #isLocal: boolean;

  private constructor(calls: FileCalls, isLocal: boolean, file: string, handle: FileHandle, inode: bigint) {
    this.#calls = calls;
    this.#isLocal = isLocal;
    this.#file = file;
    this.#handle = handle;
    this.#inode = inode;
  }

  /**
   * Takes the folder over: whoever had it before acknowledges nothing from now on.
   * @param isLocal the file system asks nobody else what a name stands for
   */
  static async take(calls: FileCalls, folder: string, isLocal: boolean): Promise<Owner> {
    const file = path.join(folder, 'owner');
    const temporary = `${file}.${randomUUID()}.tmp`;
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(`${process.pid}\n`);
      await handle.sync();
      await rename(temporary, file);
      await syncFolder(folder);
      return new Owner(calls, isLocal, file, handle, (await handle.stat({ bigint: true })).ino);
    } catch (err) {
      await handle.close();
      throw err;
    }
  }

  /** @throws TakenOverError when another process has taken the folder over, another error when that cannot be told this time. */
  async check(): Promise<void> {
    // Each batch asks. The entry of a file that is open stays in memory: there is nothing that a thread could wait for.
    const { ino } = this.#isLocal
      ? fs.statSync(this.#file, { bigint: true })
      : await this.#calls.call<fs.BigIntStats>(done => fs.stat(this.#file, { bigint: true }, done));
    if (ino === this.#inode) return;
    throw new TakenOverError('ServiceUnavailable', 'another process has opened the store since');
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
