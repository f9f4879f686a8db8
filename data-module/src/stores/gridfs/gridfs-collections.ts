/** The collections of a bucket, and the calls to them: each within a deadline, writes safe against the loss of a minority. */
import { DeadlineError, withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { type Collection, type Db, MongoClient, MongoParseError } from 'mongodb';
import type { ChunkDocument, FileDocument } from './documents.js';
import { nameMongoError } from './gridfs-errors.js';

/** How often the driver looks after its servers. */
const HEARTBEAT_MS = 2000;

export interface CollectionsOptions {
  readonly url: string;
  readonly database: string;
  readonly bucket: string;
  readonly timeoutMs: number;
  readonly socketTimeoutMs: number;
}

/** Documents of neither files nor chunks: the readiness probe's. */
interface ProbeDocument {
  readonly _id: string;
  readonly at: Date;
}

export class GridFsCollections {
  readonly files: Collection<FileDocument>;
  readonly chunks: Collection<ChunkDocument>;
  readonly #probe: Collection<ProbeDocument>;
  readonly #client: MongoClient;
  readonly #db: Db;
  readonly #timeoutMs: number;
  #connected: Promise<unknown> | undefined;
  #indexes: Promise<void> | undefined;

  /** @throws StartError when the driver does not take the URL, which it does not quote */
  constructor({ url, database, bucket, timeoutMs, socketTimeoutMs }: CollectionsOptions) {
    try {
      this.#client = new MongoClient(url, {
        appName: 'zenko-data-module',
        writeConcern: { w: 'majority', journal: true, wtimeoutMS: timeoutMs },
        readPreference: 'primary',
        promoteBuffers: true,
        serverSelectionTimeoutMS: timeoutMs,
        connectTimeoutMS: timeoutMs,
        waitQueueTimeoutMS: timeoutMs,
        socketTimeoutMS: socketTimeoutMs,
        heartbeatFrequencyMS: HEARTBEAT_MS,
      });
    } catch (err) {
      const why =
        err instanceof MongoParseError
          ? messageOf(err).replaceAll(url, '<the URL>')
          : 'the driver does not take it';
      throw new StartError(`MONGODB_URL: ${why}`);
    }
    this.#db = this.#client.db(database);
    this.files = this.#db.collection<FileDocument>(`${bucket}.files`);
    this.chunks = this.#db.collection<ChunkDocument>(`${bucket}.chunks`);
    this.#probe = this.#db.collection<ProbeDocument>(`${bucket}.probe`);
    this.#timeoutMs = timeoutMs;
  }

  /** Settles as `work` does, which is one call, or rejects when that takes too long; an error of the catalogue. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(this.#connect().then(work), this.#timeoutMs, 'a call to MongoDB');
    } catch (err) {
      throw nameMongoError(err);
    }
  }

  /** The indexes that GridFS has, by which chunks are found; looked after once before anything is written. */
  ensureIndexes(): Promise<void> {
    const ensured = (this.#indexes ??= this.call(async () => {
      await this.chunks.createIndex({ files_id: 1, n: 1 }, { unique: true }, undefined);
      await this.files.createIndex({ filename: 1, uploadDate: 1 });
    }));
    ensured.catch(() => {
      this.#indexes = undefined;
    });
    return ensured;
  }

  /** Rejects when a write would fail now. */
  async tryWrite(): Promise<void> {
    await this.ensureIndexes();
    await this.call(() =>
      this.#probe.updateOne({ _id: 'probe' }, { $set: { at: new Date() } }, { upsert: true }),
    );
  }

  /** What MongoDB says of itself; figures that it does not tell are missing. */
  async diskFigures(): Promise<{ readonly total?: number; readonly used?: number }> {
    const { fsTotalSize, fsUsedSize } = await this.call(() => this.#db.command({ dbStats: 1 }));
    const figures: { total?: number; used?: number } = {};
    if (typeof fsTotalSize === 'number') figures.total = fsTotalSize;
    if (typeof fsUsedSize === 'number') figures.used = fsUsedSize;
    return figures;
  }

  /** A client whose first connecting failed stays without one, unless it is told to connect again. */
  #connect(): Promise<unknown> {
    const connected = (this.#connected ??= this.#client.connect());
    connected.catch(() => {
      this.#connected = undefined;
    });
    return connected;
  }

  async close(): Promise<void> {
    await withDeadline(this.#client.close(), this.#timeoutMs, 'closing').catch((err: unknown) => {
      if (!(err instanceof DeadlineError)) throw err;
    });
  }
}
