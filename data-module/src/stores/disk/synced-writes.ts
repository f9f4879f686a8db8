/**
 * Stores blobs one by one: written under a temporary name, renamed, and synced before anyone is told. What the journal takes goes
 * quicker; this is the way of all else.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { BlobChecksums } from './checksums/blob-checksums.js';
import type { PendingEntry } from './checksums/checksum-log.js';
import { nameDiskError } from './disk-errors.js';
import { blobFile, blobFolder } from './disk-layout.js';
import { type FileCalls, NEW_FILE, type OpenFile } from './file-calls.js';
import type { Volume } from './volume.js';

export interface SyncedWritesOptions {
  readonly volume: Volume;
  readonly calls: FileCalls;
  readonly uploadPrefix: string;
  /** Whether the sync of a file brings its name along. */
  readonly syncsNames: boolean;
  readonly checksums: BlobChecksums;
  readonly log: Logger;
}

export class SyncedWrites {
  readonly #volume: Volume;
  readonly #calls: FileCalls;
  readonly #uploadPrefix: string;
  readonly #syncsNames: boolean;
  readonly #checksums: BlobChecksums;
  readonly #log: Logger;

  constructor({ volume, calls, uploadPrefix, syncsNames, checksums, log }: SyncedWritesOptions) {
    this.#volume = volume;
    this.#calls = calls;
    this.#uploadPrefix = uploadPrefix;
    this.#syncsNames = syncsNames;
    this.#checksums = checksums;
    this.#log = log;
  }

  /**
   * `write` gives a new file, at a path of its own, its bytes, and tells their checksum; this makes it a blob. It syncs them where the sync of a
   * name would not. The checksum is on its way to the disk meanwhile.
   */
  async store(
    key: string,
    write: (file: OpenFile, entry: PendingEntry, path: string) => Promise<void>,
  ): Promise<void> {
    const temporary = this.#uploadPrefix + key;
    const entry = this.#checksums.begin(key);
    try {
      const file = await this.#create(temporary);
      try {
        await write(file, entry, temporary);
        await this.#rename(temporary, key);
        await this.#makeDurable(file, entry, key);
      } finally {
        file.close();
      }
    } catch (err) {
      await this.#discard(temporary);
      // A missing file is never the caller's fault here: a folder of the volume has gone.
      const missing = (err as NodeJS.ErrnoException).code === 'ENOENT';
      throw missing
        ? new CatalogueError('InternalError', 'the volume has lost a folder', { cause: err })
        : nameDiskError(err);
    } finally {
      entry.settle();
    }
  }

  async #create(temporary: string): Promise<OpenFile> {
    try {
      return await this.#calls.open(temporary, NEW_FILE);
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
      await this.#volume.restoreFolders();
      this.#checksums.renew();
      return this.#calls.open(temporary, NEW_FILE);
    }
  }

  async #rename(temporary: string, key: string): Promise<void> {
    const file = blobFile(this.#volume.path, key);
    try {
      await this.#calls.rename(temporary, file);
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
      await this.#volume.restoreFolders(key);
      await this.#calls.rename(temporary, file);
    }
  }

  /** Name and checksum. */
  async #makeDurable(file: OpenFile, entry: PendingEntry, key: string): Promise<void> {
    try {
      if (this.#syncsNames) await file.sync();
      else await this.#calls.syncFolder(blobFolder(this.#volume.path, key));
      await entry.written();
    } catch (err) {
      // Nobody learns the key of this blob, so nobody would ever delete it.
      await this.#discard(blobFile(this.#volume.path, key));
      throw err;
    }
  }

  async #discard(file: string): Promise<void> {
    try {
      await this.#calls.unlink(file);
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return;
      this.#log.error({ err, file }, 'could not remove a failed upload; the next start will');
    }
  }
}
