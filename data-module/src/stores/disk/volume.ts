/**
 * The folder that blobs lie in: which one it is, and whether it is still there. A file in it holds its id. An unmounted
 * disk leaves an empty folder, in which every blob would look as if it had never been; without the id it is no volume.
 */
import { randomUUID } from 'node:crypto';
import { constants, mkdirSync } from 'node:fs';
import { open, readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import type { DiskUsage } from '../../data-store.js';
import {
  blobFolder,
  CHECKSUMS_FOLDER,
  FOLDERS,
  JOURNAL_FOLDER,
  UPLOADS_FOLDER,
  VOLUME_ID_FILE,
} from './disk-layout.js';
import type { FileCalls } from './file-calls.js';

/** Our own. All but that of uploads are made when they are needed: a volume that is only read, as one that is copied from, stays as it is. */
const OWN_FOLDERS = [UPLOADS_FOLDER, CHECKSUMS_FOLDER, JOURNAL_FOLDER] as const;

export class Volume {
  readonly path: string;
  readonly id: string;
  readonly #calls: FileCalls;

  private constructor(folder: string, id: string, calls: FileCalls) {
    this.path = folder;
    this.id = id;
    this.#calls = calls;
  }

  /**
   * Gives the folder an id when it has none, and makes its folders, durably: all of them, or, for a volume that gets few
   * blobs, only that of uploads; the others are made when they are missing.
   * @param onEmpty is told, before anything is made, when there is no sign that the folder has ever been a volume
   */
  static async open(
    folder: string,
    calls: FileCalls,
    folders: 'all' | 'as needed',
    onEmpty: () => Promise<void>,
  ): Promise<Volume> {
    const names = new Set(await readdir(folder));
    if (!names.has(VOLUME_ID_FILE)) {
      const isVolume = names.has(UPLOADS_FOLDER) || [...names].some(name => /^\d+$/.test(name));
      if (!isVolume) await onEmpty();
      await writeId(folder);
    }
    const count = folders === 'all' ? FOLDERS : 0;
    for (const name of [UPLOADS_FOLDER, ...Array.from({ length: count }, (_, index) => String(index))]) {
      // At once: thousands of calls that each wait for a thread take many times as long, and nothing else goes on yet.
      if (!names.has(name)) mkdirSync(path.join(folder, name), { recursive: true });
    }
    // Also for what was made just before a crash.
    await syncFolder(folder);
    return new Volume(folder, await readFile(idFile(folder), 'utf8'), calls);
  }

  /** Rejects with `InternalError` when the folder is not the volume that was opened. */
  async check(): Promise<void> {
    let found: string | undefined;
    let cause: unknown;
    try {
      found = await this.#calls.readFile(idFile(this.path));
    } catch (err) {
      if (err instanceof CatalogueError) throw err;
      cause = err;
    }
    if (found !== this.id)
      throw new CatalogueError('InternalError', `the volume has gone from ${this.path}`, { cause });
  }

  /** Makes our own folders, and that of `key`, again, should they be missing. Rejects as `check` does. */
  async restoreFolders(key?: string): Promise<void> {
    await this.check();
    const folders = OWN_FOLDERS.map(name => path.join(this.path, name));
    if (key !== undefined) folders.push(blobFolder(this.path, key));
    for (const folder of folders) {
      await this.#calls.mkdir(folder).catch((err: unknown) => {
        if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
      });
    }
    await this.#calls.syncFolder(this.path);
  }

  async checkWritable(): Promise<void> {
    await this.check();
    await this.#calls.access(path.join(this.path, UPLOADS_FOLDER), constants.W_OK);
  }

  async usage(): Promise<DiskUsage> {
    await this.check();
    const { bavail, bfree, blocks, bsize } = await this.#calls.statfs(this.path);
    return { available: bavail * bsize, free: bfree * bsize, total: blocks * bsize };
  }
}

function idFile(folder: string): string {
  return path.join(folder, VOLUME_ID_FILE);
}

/** Several processes may do so at once: they find the same id afterwards. */
async function writeId(folder: string): Promise<void> {
  const temporary = `${idFile(folder)}.${process.pid}`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(`${randomUUID()}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, idFile(folder));
}
