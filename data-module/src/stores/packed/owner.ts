/** Which process writes to the store: the one that opened it last. */
import { randomInt, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { lacksRoom } from '../disk/disk-errors.js';
import type { FileCalls } from '../disk/file-calls.js';

/** Another process writes to the store from now on. */
export class TakenOverError extends CatalogueError {}

/** By what a process knows the file that it made, or marked. */
type Mark = Pick<fs.BigIntStats, 'ino' | 'mtimeNs'>;

export class Owner {
  readonly #file: string;
  /** Our own file. It stays open, so that the file of another process cannot get its number. */
  readonly #handle: FileHandle;
  readonly #mark: Mark;
  readonly #calls: FileCalls;
  readonly #isLocal: boolean;

  private constructor(calls: FileCalls, isLocal: boolean, file: string, handle: FileHandle, mark: Mark) {
    this.#calls = calls;
    this.#isLocal = isLocal;
    this.#file = file;
    this.#handle = handle;
    this.#mark = mark;
  }

  /**
   * Takes the folder over: whoever had it before acknowledges nothing from now on.
   * @param isLocal the file system asks nobody else what a name stands for
   */
  static async take(calls: FileCalls, folder: string, isLocal: boolean): Promise<Owner> {
    const file = path.join(folder, 'owner');
    const handle = await replace(file).catch(async (err: unknown) => {
      if (!lacksRoom(err)) throw err;
      return mark(file);
    });
    try {
      return new Owner(calls, isLocal, file, handle, await handle.stat({ bigint: true }));
    } catch (err) {
      await handle.close();
      throw err;
    }
  }

  /** @throws TakenOverError when another process has taken the folder over, another error when that cannot be told this time. */
  async check(): Promise<void> {
    // Each batch asks. The entry of a file that is open stays in memory: there is nothing that a thread could wait for.
    const { ino, mtimeNs } = this.#isLocal
      ? fs.statSync(this.#file, { bigint: true })
      : await this.#calls.call<fs.BigIntStats>(done => fs.stat(this.#file, { bigint: true }, done));
    if (ino === this.#mark.ino && mtimeNs === this.#mark.mtimeNs) return;
    throw new TakenOverError('ServiceUnavailable', 'another process has opened the store since');
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Puts a file of our own in the place of the one that there is. When it rejects that one stays. */
async function replace(file: string): Promise<FileHandle> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  const handle = await open(temporary, 'wx');
  try {
    await writePid(handle);
    await rename(temporary, file);
    await syncFolder(path.dirname(file));
    return handle;
  } catch (err) {
    await handle.close();
    await rm(temporary, { force: true }).catch(() => undefined);
    throw err;
  }
}

/** For people who look: a full disk, which has no room for it, must be opened all the same. */
async function writePid(handle: FileHandle): Promise<void> {
  try {
    await handle.writeFile(`${process.pid}\n`);
    await handle.sync();
  } catch (err) {
    if (!lacksRoom(err)) throw err;
  }
}

/** Where there is no room for another file, as on a full XFS, the one that there is becomes ours by a time that is made up. */
async function mark(file: string): Promise<FileHandle> {
  const handle = await open(file, 'r');
  try {
    const time = randomInt(2 ** 31);
    await handle.utimes(time, time);
    await handle.sync();
    return handle;
  } catch (err) {
    await handle.close();
    throw err;
  }
}
