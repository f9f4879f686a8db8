/** Small blobs in segments, large ones as files. PACKED.md says what lies where, and what is durable when. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { SettingsOf } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { Registry } from 'prom-client';
import type {
  ByteRange,
  CheckedKey,
  ChooseRange,
  DiskUsage,
  MovableStore,
  OpenBlob,
} from '../../data-store.js';
import { nameDiskError } from '../disk/disk-errors.js';
import { type DiskStore, openDiskStore } from '../disk/disk-store.js';
import { FileCalls } from '../disk/file-calls.js';
import { fileSystemOf } from '../disk/file-system.js';
import { type Location, LOST } from './blob-index.js';
import type { Catalog } from './catalog.js';
import { Compactor } from './compactor.js';
import { DiskRoom } from './disk-room.js';
import { loadCatalog } from './load-catalog.js';
import { Owner } from './owner.js';
import { createPackedMetrics, type PackedMetrics } from './packed-metrics.js';
import type { PACKED_SETTINGS } from './packed-settings.js';
import { ReadCache } from './read-cache.js';
import { decodeData, recordBytes } from '../record-format.js';
import { SegmentFiles } from './segment-files.js';
import { SegmentWriter } from './segment-writer.js';
import { newBlobKey } from '../blob-key.js';
import { HeldBlob, streamOf } from '../open-blobs.js';

const FROM_CACHE = { source: 'cache' } as const;
const FROM_DISK = { source: 'disk' } as const;
const PACKED_KEY = /^[0-9a-f]{40}$/;

export type PackedOptions = Omit<SettingsOf<typeof PACKED_SETTINGS>, 'PACKED_PATH'> & {
  /** Time between two looks for segments to compact; 0: only `compact` does. */
  readonly compactPauseMs?: number;
};

interface Parts {
  readonly calls: FileCalls;
  readonly owner: Owner;
  readonly files: SegmentFiles;
  readonly catalog: Catalog;
  readonly cache: ReadCache;
  readonly writer: SegmentWriter;
  readonly compactor: Compactor;
  readonly large: DiskStore;
  readonly room: DiskRoom;
  readonly maxBlobBytes: number;
  readonly metrics: PackedMetrics;
  readonly log: Logger;
}

/**
 * Opens the store in `folder`, and takes it over from a process that has it open.
 * @throws StartError when the folder cannot be used.
 */
export async function openPackedStore(
  folder: string,
  options: PackedOptions,
  log: Logger,
  registry = new Registry(),
): Promise<PackedStore> {
  const large = path.join(folder, 'files');
  const { isLocal } = await fileSystemOf(folder, log);
  const calls = new FileCalls(options.DISK_TIMEOUT_MS, isLocal);
  const files = new SegmentFiles(calls, path.join(folder, 'segments'), path.join(folder, 'damaged'));
  try {
    await mkdir(large, { recursive: true });
    await syncFolder(folder);
    const owner = await Owner.take(calls, folder, isLocal);
    const started = performance.now();
    const { catalog, lastSegment, damaged } = await loadCatalog(calls, files, log);
    const metrics = createPackedMetrics(registry, () => catalog.figures());
    metrics.damaged.inc(damaged);
    const segmentBytes = options.PACKED_SEGMENT_BYTES;
    const writer = new SegmentWriter({ files, calls, catalog, owner, log, segmentBytes, lastSegment });
    const pauseMs = options.compactPauseMs ?? 1000;
    const compactor = new Compactor({
      files,
      catalog,
      writer,
      owner,
      log,
      segmentBytes,
      percent: options.PACKED_COMPACT_PERCENT,
      bytesPerSecond: options.PACKED_COMPACT_BYTES_PER_SECOND,
      pauseMs,
      metrics,
    });
    if (pauseMs > 0) compactor.start();
    const seconds = (performance.now() - started) / 1000;
    const { blobs, segments, indexBytes } = catalog.figures();
    log.info({ folder, blobs, segments, indexBytes, damaged, seconds }, 'the packed store is open');
    const maxBlobBytes = options.PACKED_MAX_BLOB_BYTES;
    const largeStore = await openDiskStore(large, log, {
      timeoutMs: options.DISK_TIMEOUT_MS,
      folders: 'as needed',
      hasJournal: false,
      directFromBytes: options.DISK_DIRECT_FROM_BYTES,
    });
    return new PackedStore({
      calls,
      owner,
      files,
      catalog,
      cache: new ReadCache(options.PACKED_CACHE_BYTES),
      writer,
      compactor,
      large: largeStore,
      room: new DiskRoom(() => largeStore.diskUsage(), options.PACKED_RESERVE_BYTES),
      maxBlobBytes,
      metrics,
      log,
    });
  } catch (err) {
    calls.stop();
    if (err instanceof StartError) throw err;
    throw new StartError(`cannot open the packed store in ${folder} (${nameDiskError(err).message})`, {
      cause: err,
    });
  }
}

export class PackedStore implements MovableStore {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** How many blobs are packed. */
  get blobs(): number {
    return this.#parts.catalog.size;
  }

  async put(source: Readable, size: number): Promise<string> {
    const key = newBlobKey();
    await this.putAs(key, source, size);
    return key;
  }

  async putSmall(bytes: Buffer): Promise<string> {
    const { large, maxBlobBytes, room, writer } = this.#parts;
    await room.take(bytes.length);
    if (bytes.length > maxBlobBytes) return large.putSmall(bytes);
    const key = newBlobKey();
    await writer.put(Buffer.from(key, 'hex'), bytes);
    return key;
  }

  async *keys(): AsyncGenerator<string, void, undefined> {
    for (const key of this.#parts.catalog.keys()) yield key.toString('hex');
    yield* this.#parts.large.keys();
  }

  /** Checksums of records are compared with each read, those of files are not. */
  async *checkedKeys(): AsyncGenerator<CheckedKey, void, undefined> {
    for (const key of this.#parts.catalog.keys()) yield { key: key.toString('hex'), checksums: undefined };
    yield* this.#parts.large.checkedKeys();
  }

  /** A packed blob is as old as the newest record of its segment, or older: a compaction makes it look younger. */
  async storedAt(key: string): Promise<number> {
    const found = this.#find(key);
    if (found === undefined) return this.#parts.large.storedAt(key);
    const { calls, files } = this.#parts;
    return (await calls.stat(files.segmentFile(found.segment))).mtimeMs;
  }

  async putAs(key: string, source: Readable, size: number): Promise<void> {
    const { large, maxBlobBytes, room, writer } = this.#parts;
    await room.take(size);
    if (size > maxBlobBytes || !PACKED_KEY.test(key)) await large.putAs(key, source, size);
    else await writer.put(Buffer.from(key, 'hex'), await collect(source, size));
  }

  async stat(key: string): Promise<number> {
    const found = this.#find(key);
    if (found === undefined) return this.#parts.large.stat(key);
    if (found.length === LOST) throw damaged();
    return found.length;
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return streamOf(await this.open(key, () => range));
  }

  async open(key: string, choose: ChooseRange): Promise<OpenBlob> {
    const found = this.#find(key);
    if (found === undefined) return this.#parts.large.open(key, choose);
    if (found.length === LOST) throw damaged();
    const range = choose(found.length);
    const { cache, metrics } = this.#parts;
    let data = cache.get(key, found);
    if (data !== undefined) metrics.reads.inc(FROM_CACHE);
    else {
      data = await this.#read(key, found);
      metrics.reads.inc(FROM_DISK);
      cache.add(key, found, data);
    }
    return new HeldBlob(
      data.length,
      range,
      range === undefined ? data : data.subarray(range.start, range.end + 1),
    );
  }

  async openPastCache(key: string): Promise<OpenBlob> {
    const found = this.#find(key);
    if (found === undefined) return this.#parts.large.openPastCache(key);
    if (found.length === LOST) throw damaged();
    const data = await this.#read(key, found);
    return new HeldBlob(data.length, undefined, data);
  }

  async delete(key: string): Promise<void> {
    if (this.#find(key) === undefined) return this.#parts.large.delete(key);
    if (!(await this.#parts.writer.delete(Buffer.from(key, 'hex')))) throw new CatalogueError('ObjNotFound');
  }

  diskUsage(): Promise<DiskUsage> {
    return this.#parts.large.diskUsage();
  }

  async ping(): Promise<void> {
    const { writer, large, room, maxBlobBytes } = this.#parts;
    if (writer.refusal !== undefined) throw writer.refusal;
    await room.check(maxBlobBytes);
    await large.ping();
  }

  async close(): Promise<void> {
    const { calls, owner, compactor, writer, files, large } = this.#parts;
    await compactor.close();
    await writer.close();
    await files.close();
    await large.close();
    await owner.close();
    calls.stop();
  }

  /** Gives back what space is worth it, now. */
  async compact(): Promise<void> {
    await this.#parts.compactor.compactAll();
  }

  #find(key: string): Location | undefined {
    return PACKED_KEY.test(key) ? this.#parts.catalog.find(Buffer.from(key, 'hex')) : undefined;
  }

  /** All of the data, compared with its checksum. */
  async #read(key: string, { segment, offset, length }: Location): Promise<Buffer> {
    const { files, log, metrics } = this.#parts;
    let record: Buffer;
    try {
      record = await files.read(segment, offset, recordBytes(length));
    } catch (err) {
      // The blob is there, whatever has become of the file.
      log.error({ err, key, segment, offset }, 'a segment cannot be read');
      throw new CatalogueError('InternalError', 'the segment of this blob cannot be read', { cause: err });
    }
    const data = decodeData(record, Buffer.from(key, 'hex'));
    if (data !== undefined) return data;
    metrics.damaged.inc();
    log.error({ key, segment, offset }, 'a record is damaged: its key answers InternalError');
    throw damaged();
  }
}

function damaged(): CatalogueError {
  return new CatalogueError('InternalError', 'the stored bytes of this blob are damaged');
}

/** The `size` bytes of `source`, which is known to give no more. */
async function collect(source: Readable, size: number): Promise<Buffer> {
  const data = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    filled += chunk.copy(data, filled);
  }
  if (filled !== size) throw new CatalogueError('IncompleteBody');
  return data;
}
