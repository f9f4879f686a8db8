/**
 * Blobs as files. A blob appears under its name only when it is complete: it is written under a temporary name and renamed.
 * Its key is known to nobody before bytes, name and checksum are on stable storage.
 */
import { constants } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import { checkFolder } from '@zenko-modules/common/data-folder';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';
import {
  type ByteRange,
  type CheckedKey,
  type ChooseRange,
  type DiskUsage,
  type MovableStore,
  type OpenBlob,
  SMALL_BYTES,
} from '../../data-store.js';
import { newBlobKey } from '../blob-key.js';
import { streamOf } from '../open-blobs.js';
import type { StorePlugin, WorkerPlace } from '../plugin.js';
import { blobKeys } from './blob-keys.js';
import { CachedReads } from './cached-reads.js';
import { BlobChecksums, type ChecksumOptions } from './checksums/blob-checksums.js';
import { DirectWrites } from './direct-writes.js';
import { nameDiskError } from './disk-errors.js';
import { blobFile, blobFolder, UPLOADS_FOLDER } from './disk-layout.js';
import { DISK_SETTINGS } from './disk-settings.js';
import { FileCalls } from './file-calls.js';
import { openBlobFile, readSmallFile } from './file-reader.js';
import { type FileSystem, fileSystemOf } from './file-system.js';
import { TRANSFER_MEMORY_BYTES, writeAll, writeStream } from './file-writer.js';
import { Journal } from './journal/journal.js';
import { SyncedWrites } from './synced-writes.js';
import { UsedVolumes } from './used-volumes.js';
import { Volume } from './volume.js';
import { belongsTo } from './worker-files.js';

/** Uploads from this size on are refused at once when the disk has no room for them. */
const CHECK_ROOM_FROM_BYTES = 16 * 1024 * 1024;

/**
 * Syncing more than this may take long. Then it is done before the file is renamed: a crash within it leaves an upload, which
 * the next start removes, rather than a blob that nobody knows.
 */
const ONE_SYNC_BYTES = 16 * 1024 * 1024;

const DEFAULT_TIMEOUT_MS = Number(DISK_SETTINGS.DISK_TIMEOUT_MS.default);
const DEFAULT_DIRECT_FROM_BYTES = Number(DISK_SETTINGS.DISK_DIRECT_FROM_BYTES.default);
const ALONE: WorkerPlace = { index: 0, count: 1 };

export const diskStore: StorePlugin<typeof DISK_SETTINGS> = {
  name: 'disk',
  settings: DISK_SETTINGS,
  placeSetting: 'DATA_PATH',
  keepsFiles: true,
  servesSeveralWorkers: true,
  transferMemoryBytes: () => TRANSFER_MEMORY_BYTES,
  async open({ settings, openFolder, log, worker, registry }) {
    const { DATA_PATH, DISK_TIMEOUT_MS: timeoutMs, DISK_ALLOW_EMPTY: allowEmpty } = settings;
    const { DISK_DIRECT_FROM_BYTES: directFromBytes } = settings;
    const volume = DATA_PATH === undefined ? await openFolder('data') : path.resolve(DATA_PATH);
    if (DATA_PATH !== undefined) await checkFolder('DATA_PATH', volume);
    createVolumeMetrics(registry, volume);
    const used = worker.index > 0 ? undefined : await usedVolumes(openFolder, log);
    return openDiskStore(volume, log, { worker, timeoutMs, used, allowEmpty, directFromBytes });
  },
};

/** Where there is no folder for the notes, such as in a container without it, an empty volume is no surprise. */
async function usedVolumes(
  openFolder: (part: string) => Promise<string>,
  log: Logger,
): Promise<UsedVolumes | undefined> {
  try {
    return new UsedVolumes(await openFolder('data-volumes'));
  } catch (err) {
    log.warn(
      { reason: messageOf(err) },
      'cannot remember the volume: an empty one in its place would be taken',
    );
    return undefined;
  }
}

export interface DiskStoreOptions {
  /** The worker that opens it; each has a name space of its own for uploads. */
  readonly worker?: WorkerPlace;
  readonly timeoutMs?: number;
  readonly used?: UsedVolumes | undefined;
  readonly allowEmpty?: boolean;
  /** Whether the volume's folders are made at once, which saves each upload a look; a volume of few blobs needs few. */
  readonly folders?: 'all' | 'as needed';
  /** Left out: the system is asked. */
  readonly fileSystem?: FileSystem;
  readonly checksums?: ChecksumOptions;
  /** Whether small blobs and deletions go through a journal, where the file system allows it. */
  readonly hasJournal?: boolean;
  /** As the setting. */
  readonly directFromBytes?: number;
}

/**
 * Opens the volume and removes what uploads left that a crash cut off: those of the same worker, and, for the first
 * worker, those of workers that are no more. One module at a time may have a volume open: the uploads of another would
 * be swept away (and fail, unacknowledged).
 */
export async function openDiskStore(
  folder: string,
  log: Logger,
  {
    worker = ALONE,
    timeoutMs = DEFAULT_TIMEOUT_MS,
    used,
    allowEmpty = false,
    folders = 'all',
    fileSystem,
    checksums,
    hasJournal = true,
    directFromBytes = DEFAULT_DIRECT_FROM_BYTES,
  }: DiskStoreOptions = {},
): Promise<DiskStore> {
  const { isLocal, syncsNames } = fileSystem ?? (await fileSystemOf(folder, log));
  const calls = new FileCalls(timeoutMs, isLocal);
  try {
    const idBefore = await used?.idAt(folder);
    const volume = await Volume.open(folder, calls, folders, () => {
      if (idBefore === undefined || allowEmpty) return Promise.resolve();
      throw new StartError(
        `${folder} is empty, but was a volume with blobs before: is its disk mounted? ` +
          'To begin with an empty one set DISK_ALLOW_EMPTY=true',
      );
    });
    await used?.remember(folder, volume.id);
    await sweepUploads(path.join(folder, UPLOADS_FOLDER), worker, log);
    const blobChecksums = await BlobChecksums.open(volume, calls, worker, log, checksums);
    const uploadPrefix = path.join(folder, UPLOADS_FOLDER, `${worker.index}.`);
    const parts = { volume, calls, uploadPrefix, syncsNames, checksums: blobChecksums, log };
    // What it leaves out of account is the journal's, where the file system enters things in order.
    const journal = syncsNames && hasJournal ? await Journal.open({ ...parts, worker }) : undefined;
    const writes = new SyncedWrites(parts);
    // Over a network each of such writes waits for the other side.
    const isDirect = isLocal && directFromBytes > 0;
    const direct = isDirect ? new DirectWrites({ calls, fromBytes: directFromBytes, log }) : undefined;
    return new DiskStore({ ...parts, fileSystem: { isLocal, syncsNames }, writes, direct, journal });
  } catch (err) {
    calls.stop();
    if (err instanceof StartError) throw err;
    throw new StartError(`cannot prepare the folder ${folder} (${nameDiskError(err).message})`, {
      cause: err,
    });
  }
}

async function sweepUploads(uploads: string, worker: WorkerPlace, log: Logger): Promise<void> {
  const leftovers = (await readdir(uploads)).filter(name => belongsTo(name, worker));
  for (const name of leftovers) await rm(path.join(uploads, name), { recursive: true });
  if (leftovers.length > 0) log.warn({ count: leftovers.length }, 'removed uploads that were cut off');
}

interface Parts {
  readonly volume: Volume;
  readonly calls: FileCalls;
  readonly fileSystem: FileSystem;
  readonly checksums: BlobChecksums;
  readonly writes: SyncedWrites;
  readonly direct: DirectWrites | undefined;
  readonly journal: Journal | undefined;
}

export class DiskStore implements MovableStore {
  readonly #volume: Volume;
  readonly #calls: FileCalls;
  readonly #syncsNames: boolean;
  /** Small blobs, … */
  readonly #cached: CachedReads;
  /** … and large ones, of which not all is read at once. */
  readonly #largeCached: CachedReads;
  readonly #checksums: BlobChecksums;
  readonly #writes: SyncedWrites;
  readonly #direct: DirectWrites | undefined;
  readonly #journal: Journal | undefined;

  constructor({ volume, calls, fileSystem, checksums, writes, direct, journal }: Parts) {
    this.#volume = volume;
    this.#calls = calls;
    this.#syncsNames = fileSystem.syncsNames;
    this.#cached = new CachedReads(fileSystem.isLocal);
    this.#largeCached = new CachedReads(fileSystem.isLocal);
    this.#checksums = checksums;
    this.#writes = writes;
    this.#direct = direct;
    this.#journal = journal;
  }

  async put(source: Readable, size: number): Promise<string> {
    const key = newBlobKey();
    await this.#putStream(key, source, size);
    return key;
  }

  keys(): AsyncIterable<string> {
    return blobKeys(this.#volume);
  }

  checkedKeys(): AsyncIterable<CheckedKey> {
    return this.#checksums.keys();
  }

  /** Gives back, now, what entries of blobs that are gone take in the logs of checksums. */
  cleanChecksums(): Promise<void> {
    return this.#checksums.clean();
  }

  storedAt(key: string): Promise<number> {
    return this.#find(async () => {
      const found = await this.#calls.stat(blobFile(this.#volume.path, key));
      if (!found.isFile()) throw new CatalogueError('ObjNotFound');
      return found.mtimeMs;
    });
  }

  async putAs(key: string, source: Readable, size: number): Promise<void> {
    await this.#journal?.forget(key);
    await this.#putStream(key, source, size);
  }

  async #putStream(key: string, source: Readable, size: number): Promise<void> {
    await this.#checkRoom(size);
    const direct = this.#direct?.takes(size) ? this.#direct : undefined;
    await this.#writes.store(key, async (file, entry, place) => {
      entry.write(await (direct?.write(source, file, place) ?? writeStream(source, file)));
      if (!this.#syncsNames || size > ONE_SYNC_BYTES) await file.datasync();
    });
  }

  async putSmall(bytes: Buffer): Promise<string> {
    const key = newBlobKey();
    // Now: it is to be that of the bytes that came in.
    const checksum = crc32c(bytes);
    if (!(await this.#putInJournal(key, bytes, checksum))) await this.#putSynced(key, bytes, checksum);
    this.#cached.note(key);
    return key;
  }

  async stat(key: string): Promise<number> {
    return this.#find(async () => {
      const found = await this.#calls.stat(blobFile(this.#volume.path, key));
      if (!found.isFile()) throw new CatalogueError('ObjNotFound');
      return found.size;
    });
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return streamOf(await this.open(key, () => range));
  }

  open(key: string, choose: ChooseRange): Promise<OpenBlob> {
    return this.#find(async () => {
      const file = blobFile(this.#volume.path, key);
      const cached = this.#cached.atOnce(key, () => readSmallFile(file, choose));
      if (cached !== undefined) return cached;
      const blob = await openBlobFile(
        await this.#calls.open(file, constants.O_RDONLY),
        choose,
        this.#largeCached.of(key),
      );
      if (blob.size <= SMALL_BYTES) this.#cached.note(key);
      return blob;
    });
  }

  /** Whoever reads all blobs, one after the other, does not come back for one. */
  openPastCache(key: string): Promise<OpenBlob> {
    return this.#find(async () => {
      const file = await this.#calls.open(blobFile(this.#volume.path, key), constants.O_RDONLY);
      return openBlobFile(file, () => undefined);
    });
  }

  async delete(key: string): Promise<void> {
    await this.#find(async () => {
      if (await this.#journal?.delete(key)) return;
      await this.#calls.unlink(blobFile(this.#volume.path, key));
      await this.#calls.syncFolder(blobFolder(this.#volume.path, key));
      this.#journal?.owe(key);
    });
    this.#checksums.noteDeletion();
  }

  diskUsage(): Promise<DiskUsage> {
    return this.#named(() => this.#volume.usage());
  }

  async ping(): Promise<void> {
    this.#journal?.check();
    await this.#named(() => this.#volume.checkWritable());
    const { available } = await this.diskUsage();
    if (available === 0) throw new CatalogueError('ServiceUnavailable', 'the disk is full');
  }

  /** Files of blobs are closed with the blobs. */
  async close(): Promise<void> {
    await this.#journal?.close();
    await this.#checksums.close();
    this.#calls.stop();
  }

  async #putInJournal(key: string, bytes: Buffer, checksum: number): Promise<boolean> {
    try {
      return (await this.#journal?.put(key, bytes, checksum)) ?? false;
    } catch (err) {
      throw nameDiskError(err);
    }
  }

  async #putSynced(key: string, bytes: Buffer, checksum: number): Promise<void> {
    try {
      await this.#writes.store(key, async (file, entry) => {
        entry.write({ length: bytes.length, checksum });
        await writeAll([bytes], file);
        if (!this.#syncsNames) await file.datasync();
      });
    } catch (err) {
      this.#journal?.owe(key);
      throw err;
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

  /** A blob that is not found may be one that cannot be seen: the volume is asked whether it is there. */
  async #find<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') await this.#volume.check();
      throw nameDiskError(err);
    }
  }

  async #named<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      // There is no blob in this that could be missing.
      if ((err as NodeJS.ErrnoException).code === 'ENOENT')
        throw new CatalogueError('InternalError', 'the volume has lost a folder', { cause: err });
      throw nameDiskError(err);
    }
  }
}
