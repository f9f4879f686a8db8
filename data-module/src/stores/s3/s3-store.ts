/** Blobs as objects of a bucket of any S3-compatible cluster. S3.md says what lies where, and what is durable when. */
import type { Readable } from 'node:stream';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import {
  type ByteRange,
  type ChooseRange,
  type DiskUsage,
  type MovableStore,
  type OpenBlob,
  SMALL_BYTES,
} from '../../data-store.js';
import { newBlobKey } from '../blob-key.js';
import { Leftovers } from '../leftovers.js';
import { HeldBlob, PieceBlob, streamOf } from '../open-blobs.js';
import type { Repeated } from '../repeated.js';
import { drain, type ObjectBytes, S3Calls, type S3CallsOptions } from './s3-calls.js';
import { blobSize, SEAL_BYTES, unseal } from './sealed-object.js';
import { MAX_PARTS, sizeOf, upload } from './upload.js';
import { sweepUploads } from './upload-sweep.js';

/** A request that was on its way when its connection broke has come to the cluster by then. */
const LATE_MS = 1000;
/** A PUT that has just succeeded answers for so long whether one would. */
const PUT_IS_NEWS_MS = 5000;
const KEY = /^[0-9a-f]{1,128}$/;

export interface S3StoreOptions extends S3CallsOptions {
  readonly prefix: string;
  readonly partBytes: number;
  readonly uploadMs: number;
  /** Whether this process sweeps; of the workers of a module one does. */
  readonly sweeps: boolean;
  readonly log: Logger;
}

/** What an upload that failed may have left. */
interface Remains {
  readonly name: string;
  readonly uploadId: string | undefined;
}

export class S3Store implements MovableStore {
  readonly #options: S3StoreOptions;
  readonly #calls: S3Calls;
  readonly #leftovers: Leftovers<Remains>;
  readonly #sweep: Repeated | undefined;
  /** The deletes of this process that are under way. */
  readonly #deleting = new Map<string, Promise<void>>();
  #lastPut = -Infinity;

  constructor(options: S3StoreOptions) {
    const { prefix, uploadMs, log } = options;
    this.#options = options;
    const calls = new S3Calls(options);
    this.#calls = calls;
    this.#leftovers = new Leftovers({
      remove: async ({ name, uploadId }) => {
        if (uploadId !== undefined) await calls.abortUpload(name, uploadId);
        await calls.deleteObject(name);
      },
      nameOf: ({ name }) => name,
      lateMs: LATE_MS,
      log,
    });
    const isBlob = (name: string): boolean => this.#keyOf(name) !== undefined;
    this.#sweep = options.sweeps ? sweepUploads({ calls, prefix, isBlob, uploadMs, log }) : undefined;
  }

  async put(source: Readable, size: number): Promise<string> {
    const key = newBlobKey();
    await this.putAs(key, source, size);
    return key;
  }

  async putAs(key: string, source: Readable, size: number): Promise<void> {
    const { partBytes, uploadMs } = this.#options;
    if (size > MAX_PARTS * partBytes)
      throw new CatalogueError(
        'EntityTooLarge',
        `of S3_STORE_PART_BYTES an upload may have ${MAX_PARTS}: ${MAX_PARTS * partBytes} bytes`,
      );
    const name = this.#nameOf(key);
    let uploadId: string | undefined;
    try {
      await upload({
        calls: this.#calls,
        name,
        source,
        size,
        partBytes,
        longestMs: uploadMs,
        onUploadId: id => (uploadId = id),
      });
      this.#lastPut = performance.now();
    } catch (err) {
      source.destroy();
      // The backend may have lost its room since: the next probe tries it.
      this.#lastPut = -Infinity;
      void this.#leftovers.remove({ name, uploadId }, 2);
      throw err;
    }
  }

  async stat(key: string): Promise<number> {
    return blobSize(await sizeOf(this.#calls, this.#nameOf(key)));
  }

  async get(key: string, range?: ByteRange): Promise<Readable> {
    return streamOf(await this.open(key, () => range));
  }

  /** One call for a small blob, two for another. */
  async open(key: string, choose: ChooseRange): Promise<OpenBlob> {
    const name = this.#nameOf(key);
    const closing = new AbortController();
    const begin = { start: 0, end: SMALL_BYTES + SEAL_BYTES - 1 };
    const head = await this.#calls.read(name, begin, closing.signal);
    const size = blobSize(head.objectBytes);
    const isAll = head.length === head.objectBytes;
    if (isAll) {
      const pieces: Buffer[] = [];
      for await (const piece of unseal(head.pieces, size)) pieces.push(piece);
      const bytes = Buffer.concat(pieces);
      const range = choose(size);
      return new HeldBlob(
        size,
        range,
        range === undefined ? bytes : bytes.subarray(range.start, range.end + 1),
      );
    }
    try {
      const range = choose(size);
      if (range === undefined || isWhole(range, size)) {
        const pieces = unseal(this.#whole(name, head, closing.signal), size);
        return new PieceBlob(size, range, pieces, () => closing.abort());
      }
      await drain(head);
      const { pieces } = await this.#calls.read(name, range, closing.signal);
      return new PieceBlob(size, range, pieces[Symbol.asyncIterator](), () => closing.abort());
    } catch (err) {
      closing.abort();
      throw err;
    }
  }

  /** Of several at once, of this process, one succeeds: the cluster does not say whether there was anything to delete. */
  async delete(key: string): Promise<void> {
    const name = this.#nameOf(key);
    const before = this.#deleting.get(name);
    if (before !== undefined) {
      await before;
      throw new CatalogueError('ObjNotFound');
    }
    const deleting = this.#delete(name).finally(() => this.#deleting.delete(name));
    this.#deleting.set(name, deleting);
    await deleting;
  }

  async *keys(): AsyncGenerator<string, void, undefined> {
    for await (const name of this.#calls.listNames(this.#options.prefix)) {
      const key = this.#keyOf(name);
      if (key !== undefined) yield key;
    }
  }

  /** By the clock of the cluster. Of an object in parts some clusters tell when its upload began: it may have ended later. */
  async storedAt(key: string): Promise<number> {
    const object = await this.#calls.read(this.#nameOf(key), { start: 0, end: 0 });
    await drain(object);
    const { lastModified, hasParts } = object;
    if (lastModified === undefined)
      throw new CatalogueError('InternalError', 'the S3 cluster does not say when an object was stored');
    return lastModified.getTime() + (hasParts ? this.#options.uploadMs : 0);
  }

  /** No cluster says what a bucket may take: it is as large as a number can tell. */
  async diskUsage(): Promise<DiskUsage> {
    await this.#calls.checkBucket();
    const { MAX_SAFE_INTEGER: most } = Number;
    return { available: most, free: most, total: most };
  }

  async ping(): Promise<void> {
    if (performance.now() - this.#lastPut < PUT_IS_NEWS_MS) return;
    await this.#calls.putObject(`${this.#options.prefix}probe`, Buffer.alloc(0));
    this.#lastPut = performance.now();
  }

  async close(): Promise<void> {
    await this.#sweep?.close();
    const left = await this.#leftovers.close();
    if (left > 0) this.#options.log.warn({ blobs: left }, 'what is left of some uploads stays in the bucket');
    this.#calls.close();
  }

  /** Says in the log what would be wrong with every upload. */
  async check(): Promise<void> {
    await this.ping().catch((err: unknown) => {
      this.#options.log.error(
        { err, reason: messageOf(err) },
        'the S3 cluster takes no blobs as it is; the module is not ready',
      );
    });
  }

  async #delete(name: string): Promise<void> {
    await sizeOf(this.#calls, name);
    await this.#calls.deleteObject(name);
  }

  /** What has been begun, and then the rest. */
  async *#whole(name: string, head: ObjectBytes, signal: AbortSignal): AsyncGenerator<Buffer, void> {
    yield* head.pieces;
    const rest = { start: head.length, end: head.objectBytes - 1 };
    yield* (await this.#calls.read(name, rest, signal)).pieces;
  }

  #nameOf(key: string): string {
    if (!KEY.test(key)) throw new CatalogueError('ObjNotFound');
    return this.#options.prefix + key;
  }

  #keyOf(name: string): string | undefined {
    const key = name.slice(this.#options.prefix.length);
    return name.startsWith(this.#options.prefix) && KEY.test(key) ? key : undefined;
  }
}

function isWhole({ start, end }: ByteRange, size: number): boolean {
  return start === 0 && end === size - 1;
}
