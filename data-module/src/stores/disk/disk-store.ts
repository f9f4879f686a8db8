/**
 * Blobs as files. A blob appears under its name only when it is complete and synced: it is written under a
 * temporary name, the file synced, renamed, and the folder synced.
 */
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm, stat, statfs, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { checkFolder } from '@zenko-modules/common/data-folder';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { optional, text } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import type { ByteRange, DataStore, DiskUsage } from '../../data-store.js';
import { newBlobKey } from '../blob-key.js';
import { BlobFolders } from './blob-folders.js';
import { nameDiskError } from './disk-errors.js';
import { blobFile, blobFolder, UPLOADS_FOLDER } from './disk-layout.js';
import { FileWriter } from './file-writer.js';
import type { StorePlugin } from '../plugin.js';

/** What a reader has read ahead. */
const READ_AHEAD_BYTES = 256 * 1024;

/** Uploads from this size on are refused at once when the disk has no room for them. */
const CHECK_ROOM_FROM_BYTES = 16 * 1024 * 1024;

export const DISK_SETTINGS = {
  DATA_PATH: optional(
    text,
    "folder of the disk store's blobs, such as the volume of CloudServer's own data daemon; none: `<DATA_DIR>/data`",
  ),
} as const;

export const diskStore: StorePlugin<typeof DISK_SETTINGS> = {
  name: 'disk',
  settings: DISK_SETTINGS,
  async open({ settings, openFolder, log }) {
    const volume =
      settings.DATA_PATH === undefined ? await openFolder('data') : path.resolve(settings.DATA_PATH);
    if (settings.DATA_PATH !== undefined) await checkFolder('DATA_PATH', volume);
    return openDiskStore(volume, log);
  },
};

/**
 * Opens the volume and removes what uploads left that a crash cut off. One process at a time may have a
 * volume open: the uploads of another would be swept away (and fail, unacknowledged).
 */
export async function openDiskStore(volume: string, log: Logger): Promise<DataStore> {
  const uploads = path.join(volume, UPLOADS_FOLDER);
  try {
    await mkdir(uploads, { recursive: true });
    const leftovers = await readdir(uploads);
    for (const name of leftovers) await rm(path.join(uploads, name), { recursive: true });
    if (leftovers.length > 0) log.warn({ count: leftovers.length }, 'removed uploads that were cut off');
    return new DiskStore(volume, await BlobFolders.open(volume), log);
  } catch (err) {
    throw new StartError(`cannot prepare the folder ${uploads} (${nameDiskError(err).message})`, {
      cause: err,
    });
  }
}

class DiskStore implements DataStore {
  readonly #volume: string;
  readonly #folders: BlobFolders;
  readonly #log: Logger;

  constructor(volume: string, folders: BlobFolders, log: Logger) {
    this.#volume = volume;
    this.#folders = folders;
    this.#log = log;
  }

  async put(source: Readable, size: number): Promise<string> {
    const key = newBlobKey();
    const temporary = path.join(this.#volume, UPLOADS_FOLDER, key);
    try {
      await this.#checkRoom(size);
      const folder = await this.#write(source, temporary, key);
      await this.#publish(temporary, folder, key);
      return key;
    } catch (err) {
      await this.#discard(temporary);
      // A missing file is never the caller's fault here: a folder of the volume has gone.
      const missing = (err as NodeJS.ErrnoException).code === 'ENOENT';
      throw missing
        ? new CatalogueError('InternalError', 'the volume has lost a folder', { cause: err })
        : nameDiskError(err);
    }
  }

  async stat(key: string): Promise<number> {
    return this.#named(async () => {
      const found = await stat(blobFile(this.#volume, key));
      if (!found.isFile()) throw new CatalogueError('ObjNotFound');
      return found.size;
    });
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return this.#named(async () => {
      const file = await open(blobFile(this.#volume, key), 'r');
      return file.createReadStream({ highWaterMark: READ_AHEAD_BYTES, ...range });
    });
  }

  async delete(key: string): Promise<void> {
    await this.#named(async () => {
      await unlink(blobFile(this.#volume, key));
      await syncFolder(blobFolder(this.#volume, key));
    });
  }

  async diskUsage(): Promise<DiskUsage> {
    return this.#named(async () => {
      const { bavail, bfree, blocks, bsize } = await statfs(this.#volume);
      return { available: bavail * bsize, free: bfree * bsize, total: blocks * bsize };
    });
  }

  async ping(): Promise<void> {
    await this.#named(() => access(path.join(this.#volume, UPLOADS_FOLDER), constants.W_OK));
    const { available } = await this.diskUsage();
    if (available === 0) throw new CatalogueError('ServiceUnavailable', 'the disk is full');
  }

  /** Files are closed with the streams that they belong to. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Resolves with the blob's folder, when that and the file's bytes are on stable storage. */
  async #write(source: Readable, temporary: string, key: string): Promise<string> {
    const file = await open(temporary, 'wx');
    try {
      await pipeline(source, new FileWriter(file));
      const [folder] = await Promise.all([this.#folders.prepare(key), file.sync()]);
      return folder;
    } finally {
      await file.close();
    }
  }

  async #publish(temporary: string, folder: string, key: string): Promise<void> {
    const file = blobFile(this.#volume, key);
    await rename(temporary, file);
    try {
      await syncFolder(folder);
    } catch (err) {
      // Nobody learns the key of this blob, so nobody would ever delete it.
      await this.#discard(file);
      throw err;
    }
  }

  async #discard(temporary: string): Promise<void> {
    try {
      await rm(temporary, { force: true });
    } catch (err) {
      this.#log.error({ err, file: temporary }, 'could not remove a failed upload; the next start will');
    }
  }

  async #checkRoom(size: number): Promise<void> {
    if (size < CHECK_ROOM_FROM_BYTES) return;
    const { available } = await this.diskUsage();
    if (size > available)
      throw new CatalogueError(
        'ServiceUnavailable',
        `the disk has no room for ${size} bytes (${available} left)`,
      );
  }

  async #named<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      throw nameDiskError(err);
    }
  }
}
