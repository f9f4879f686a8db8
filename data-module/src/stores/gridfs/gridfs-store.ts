/** Blobs in MongoDB's GridFS. GRIDFS.md says what lies where, and what is durable when. */
import type { Readable } from 'node:stream';
import { crc32c } from '@node-rs/crc32';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { ObjectId } from 'mongodb';
import type { ByteRange, ChooseRange, DiskUsage, MovableStore, OpenBlob } from '../../data-store.js';
import { newBlobKey } from '../blob-key.js';
import { inChunks, streamChunks } from '../chunks.js';
import { Leftovers } from '../leftovers.js';
import { HeldBlob, PieceBlob, StreamedBlob, streamOf } from '../open-blobs.js';
import type { Repeated } from '../repeated.js';
import { TaskWindow } from '../task-window.js';
import { BLOB_KEY, checkChunk, checkFile, type FileDocument, nameOfChunk } from './documents.js';
import { type CollectionsOptions, GridFsCollections } from './gridfs-collections.js';
import { sweepOrphans } from './orphan-sweep.js';

/** A write that has just succeeded answers for so long whether one would. */
const PUT_IS_NEWS_MS = 5000;
const KEYS_PAGE = 1000;

export interface GridFsStoreOptions extends CollectionsOptions {
  readonly chunkBytes: number;
  readonly window: number;
  readonly uploadMs: number;
  /** Whether this process sweeps; of the workers of a module one does. */
  readonly sweeps: boolean;
  readonly log: Logger;
}

/** What there may be of a blob. */
interface Remains {
  readonly key: string;
  readonly hasFile: boolean;
}

export class GridFsStore implements MovableStore {
  readonly #options: GridFsStoreOptions;
  readonly #collections: GridFsCollections;
  readonly #leftovers: Leftovers<Remains>;
  readonly #sweep: Repeated | undefined;
  #lastPut = -Infinity;

  /** @throws StartError when the driver does not take the URL */
  constructor(options: GridFsStoreOptions) {
    const { socketTimeoutMs, uploadMs, log } = options;
    this.#options = options;
    const collections = new GridFsCollections(options);
    this.#collections = collections;
    this.#leftovers = new Leftovers({
      remove: remains => this.#remove(remains),
      nameOf: ({ key }) => key,
      lateMs: socketTimeoutMs,
      log,
    });
    this.#sweep = options.sweeps ? sweepOrphans({ collections, uploadMs, log }) : undefined;
  }

  async put(source: Readable, size: number): Promise<string> {
    const key = newBlobKey();
    await this.#write(key, source, size);
    return key;
  }

  async putAs(key: string, source: Readable, size: number): Promise<void> {
    await this.#remove({ key, hasFile: true });
    await this.#write(key, source, size);
  }

  async stat(key: string): Promise<number> {
    return (await this.#file(key)).length;
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return streamOf(await this.open(key, () => range));
  }

  async open(key: string, choose: ChooseRange): Promise<OpenBlob> {
    const file = await this.#file(key);
    const { length: size, chunkSize, metadata } = file;
    const range = choose(size);
    const { start, end } = range ?? { start: 0, end: size - 1 };
    const [first, last] = [Math.floor(start / chunkSize), Math.floor(end / chunkSize)];
    const fetch = async (n: number): Promise<Buffer> => {
      const data = await this.#chunk(file, n);
      const from = n === first ? start - first * chunkSize : 0;
      const to = n === last ? end - last * chunkSize + 1 : data.length;
      return data.subarray(from, to);
    };
    if (size === 0) return new HeldBlob(size, range, Buffer.alloc(0));
    if (first === last) return new HeldBlob(size, range, await fetch(first));
    const stream = await streamChunks(fetch, first, last, this.#options.window);
    if (start > 0 || end < size - 1) return new StreamedBlob(size, range, stream);
    return new PieceBlob(size, range, checked(stream, file._id, metadata.crc32c), () => stream.destroy());
  }

  async delete(key: string): Promise<void> {
    if (!BLOB_KEY.test(key)) throw new CatalogueError('ObjNotFound');
    const { files } = this.#collections;
    let deleted: number;
    try {
      deleted = (await this.#collections.call(() => files.deleteOne({ _id: key }))).deletedCount;
    } catch (err) {
      // Nobody knows whether it is gone. It was to go, and its chunks must not stay without it.
      void this.#leftovers.remove({ key, hasFile: true }, 1);
      throw err;
    }
    if (deleted === 0) throw new CatalogueError('ObjNotFound');
    await this.#leftovers.remove({ key, hasFile: false }, 1);
  }

  async *keys(): AsyncGenerator<string, void, undefined> {
    const { files } = this.#collections;
    for (let last = ''; ;) {
      const page = await this.#collections.call(() =>
        files
          .find({ _id: { $gt: last } }, { projection: { _id: 1 } })
          .sort({ _id: 1 })
          .limit(KEYS_PAGE)
          .toArray(),
      );
      for (const { _id } of page) if (BLOB_KEY.test(_id)) yield _id;
      const next = page.at(-1);
      if (next === undefined) return;
      last = next._id;
    }
  }

  /** By the clock of the module that stored it. */
  async storedAt(key: string): Promise<number> {
    const { uploadDate } = await this.#file(key);
    if (uploadDate instanceof Date) return uploadDate.getTime();
    throw new CatalogueError('InternalError', `the files document of blob ${key} names no date`);
  }

  /** Of the file system of the database, as far as MongoDB tells it. */
  async diskUsage(): Promise<DiskUsage> {
    const { total = Number.MAX_SAFE_INTEGER, used = 0 } = await this.#collections.diskFigures();
    const free = Math.max(0, total - used);
    return { available: free, free, total };
  }

  async ping(): Promise<void> {
    if (performance.now() - this.#lastPut < PUT_IS_NEWS_MS) return;
    await this.#collections.tryWrite();
    this.#lastPut = performance.now();
  }

  async close(): Promise<void> {
    await this.#sweep?.close();
    await this.#leftovers.close();
    await this.#collections.close();
  }

  /** Says in the log what would be wrong with every upload. */
  async check(): Promise<void> {
    await this.ping().catch((err: unknown) => {
      this.#options.log.error(
        { err, reason: messageOf(err) },
        'MongoDB takes no blobs as it is; the module is not ready',
      );
    });
  }

  /** The chunks, and when all of them are safe the files document, which makes the blob. */
  async #write(key: string, source: Readable, size: number): Promise<void> {
    const { chunkBytes } = this.#options;
    const { files } = this.#collections;
    try {
      await this.#collections.ensureIndexes();
      const begun = performance.now();
      const checksum = await this.#writeChunks(key, source, begun);
      // The last chunks may have taken long; what is behind this is one call.
      this.#checkTime(begun);
      const file = {
        _id: key,
        filename: key,
        length: size,
        chunkSize: chunkBytes,
        uploadDate: new Date(),
        metadata: { crc32c: checksum },
      };
      await this.#collections.call(() => files.insertOne(file));
      this.#lastPut = performance.now();
    } catch (err) {
      source.destroy();
      // The backend may have lost its room since: the next probe tries it.
      this.#lastPut = -Infinity;
      void this.#leftovers.remove({ key, hasFile: true }, 2);
      throw err;
    }
  }

  /** Settles when nothing of it is on its way any more, but for what took too long. Resolves with the checksum of all. */
  async #writeChunks(key: string, source: AsyncIterable<Buffer>, begun: number): Promise<number> {
    const { chunkBytes, window: atOnce } = this.#options;
    const { chunks } = this.#collections;
    const window = new TaskWindow(atOnce);
    let checksum = 0;
    let count = 0;
    try {
      for await (const pieces of inChunks(source, chunkBytes)) {
        this.#checkTime(begun);
        const data = Buffer.concat(pieces);
        checksum = crc32c(data, checksum);
        const chunk = { _id: new ObjectId(), files_id: key, n: count, data, crc32c: crc32c(data) };
        count += 1;
        await window.start(async () => {
          await this.#collections.call(() => chunks.insertOne(chunk));
        });
      }
    } finally {
      await window.end();
    }
    return checksum;
  }

  /** What a sweep may remove the chunks of must not become a blob. */
  #checkTime(begun: number): void {
    if (performance.now() - begun > this.#options.uploadMs)
      throw new CatalogueError('ServiceUnavailable', 'the upload took longer than GRIDFS_UPLOAD_MS');
  }

  async #file(key: string): Promise<FileDocument> {
    const { files } = this.#collections;
    const file = BLOB_KEY.test(key) ? await this.#collections.call(() => files.findOne({ _id: key })) : null;
    if (file === null) throw new CatalogueError('ObjNotFound');
    return checkFile(file);
  }

  async #chunk(file: FileDocument, n: number): Promise<Buffer> {
    const { chunks } = this.#collections;
    const chunk = await this.#collections.call(() => chunks.findOne({ files_id: file._id, n }));
    if (chunk !== null) return checkChunk(file, n, chunk);
    // Deleted since it was opened, or lost.
    await this.#file(file._id);
    throw new CatalogueError('InternalError', `${nameOfChunk(file, n)} is lost`);
  }

  async #remove({ key, hasFile }: Remains): Promise<void> {
    const { files, chunks } = this.#collections;
    if (hasFile) await this.#collections.call(() => files.deleteOne({ _id: key }));
    await this.#collections.call(() => chunks.deleteMany({ files_id: key }));
  }
}

/** The pieces as they come; the last is given when all of them fit the checksum. */
async function* checked(
  pieces: AsyncIterable<Buffer>,
  key: string,
  checksum: number,
): AsyncGenerator<Buffer, void> {
  let sum = 0;
  let held: Buffer | undefined;
  for await (const piece of pieces) {
    if (held !== undefined) yield held;
    held = piece;
    sum = crc32c(piece, sum);
  }
  if (sum !== checksum)
    throw new CatalogueError('InternalError', `the bytes of blob ${key} do not fit its checksum`);
  if (held !== undefined) yield held;
}
