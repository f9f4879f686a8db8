/** Buckets for tests: each test has a database of its own, on one server for the test file. */
import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { GridFSBucket, MongoClient } from 'mongodb';
import type { ChunkDocument, FileDocument } from '../documents.js';
import type { GridFsStoreOptions } from '../gridfs-store.js';

let url: Promise<string> | undefined;
const cleanups: (() => unknown)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** The server of this test file, started by the first test that needs it. */
export function sharedMongodb(): Promise<string> {
  return (url ??= startMongodb({ after: cleanup => void cleanups.push(cleanup as () => unknown) }));
}

/** A look into a bucket, past the store. */
export interface GridFsPlace {
  readonly url: string;
  readonly database: string;
  readonly files: ReturnType<typeof collectionsOf>['files'];
  readonly chunks: ReturnType<typeof collectionsOf>['chunks'];
  /** The driver's own. */
  readonly bucket: GridFSBucket;
  /** Files and chunks together. */
  readonly count: () => Promise<number>;
}

function collectionsOf(client: MongoClient, database: string) {
  const db = client.db(database);
  return {
    files: db.collection<FileDocument>('fs.files'),
    chunks: db.collection<ChunkDocument>('fs.chunks'),
  };
}

/** A database of the test's own, dropped when the test ends. */
export async function newPlace(t: Pick<TestContext, 'after'>, at?: string): Promise<GridFsPlace> {
  const place = { url: at ?? (await sharedMongodb()), database: `test-${randomUUID()}` };
  const client = new MongoClient(place.url, { promoteBuffers: true, serverSelectionTimeoutMS: 5000 });
  t.after(async () => {
    // The server may have been stopped.
    await client
      .db(place.database)
      .dropDatabase()
      .catch(() => undefined);
    await client.close();
  });
  const { files, chunks } = collectionsOf(client, place.database);
  const count = async (): Promise<number> => (await files.countDocuments()) + (await chunks.countDocuments());
  return { ...place, files, chunks, bucket: new GridFSBucket(client.db(place.database)), count };
}

type Place = Pick<GridFsPlace, 'url' | 'database'>;

/** Of a store that does not sweep. */
export function gridFsOptions(place: Place, more: Partial<GridFsStoreOptions> = {}): GridFsStoreOptions {
  return {
    url: place.url,
    database: place.database,
    bucket: 'fs',
    timeoutMs: 4000,
    socketTimeoutMs: 30_000,
    chunkBytes: 261_120,
    window: 4,
    uploadMs: 3_600_000,
    sweeps: false,
    log: silentLogger(),
    ...more,
  };
}

/** The same for a module. */
export function gridFsEnvironment({ url: at, database }: Place): Record<string, string> {
  return { MONGODB_URL: at, MONGODB_DATABASE: database };
}
