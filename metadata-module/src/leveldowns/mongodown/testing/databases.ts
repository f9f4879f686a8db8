/** Databases for tests: each test has one of its own, on one server for the test file. */
import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import { startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { MongoClient } from 'mongodb';
import { closeLevel, openLevel, readEntries } from '../../level-calls.js';
import type { LevelDown } from '../../plugin.js';
import { Layout } from '../documents.js';
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

/**
 * A store with a lease as short as tests like it, and the patience that a busy machine needs. If a test leaves it open, it is closed at the end of the
 * file.
 */
export function newStore(place: Place, options: Partial<MongoDownOptions> = {}): MongoDown {
  const store = new MongoDown({ leaseMs: 600, timeoutMs: 20_000, ...place, ...options });
  cleanups.push(() => (store.status === 'open' ? closeLevel(store) : undefined));
  return store;
}

/** Everything in a store, as text. */
export async function contents(store: LevelDown): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { key, value } of readEntries(store)) found[key.toString()] = value.toString();
  return found;
}

/** Opens a store, uses it and closes it again. */
export async function withStore<T>(store: MongoDown, use: (store: MongoDown) => Promise<T>): Promise<T> {
  await openLevel(store);
  try {
    return await use(store);
  } finally {
    await closeLevel(store);
  }
}

/** The collections of a place as they are, past the store. */
export async function withLayout<T>(place: Place, use: (layout: Layout) => Promise<T>): Promise<T> {
  const client = new MongoClient(place.url, { promoteBuffers: true });
  try {
    return await use(new Layout(client.db(place.database), place.collection));
  } finally {
    await client.close();
  }
}
