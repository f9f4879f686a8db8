/** Databases for tests: each test has one of its own, on one server for the test file. */
import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { MongoClient } from 'mongodb';
import { MongoDown, type MongoDownOptions } from '../mongodown.js';

let url: Promise<string> | undefined;
const cleanups: (() => unknown)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** The server of this test file, started by the first test that needs it. */
export function serverUrl(): Promise<string> {
  return (url ??= startMongodb({ after: cleanup => void cleanups.push(cleanup as () => unknown) }));
}

export type Place = Pick<MongoDownOptions, 'url' | 'database' | 'collection'>;

/** A database of the test's own, dropped when the test ends. */
export async function newPlace(t: Pick<TestContext, 'after'>, at?: string): Promise<Place> {
  const place = { url: at ?? (await serverUrl()), database: `test-${randomUUID()}`, collection: 'metadata' };
  if (at === undefined) {
    t.after(async () => {
      const client = new MongoClient(place.url);
      await client.db(place.database).dropDatabase();
      await client.close();
    });
  }
  return place;
}

/** A store with waits as short as tests like them. */
export function newStore(place: Place, options: Partial<MongoDownOptions> = {}): MongoDown {
  return new MongoDown({ leaseMs: 600, ...place, ...options });
}
