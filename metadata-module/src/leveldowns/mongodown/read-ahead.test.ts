/** Pages that an iterator asks for before its reader comes to them. No server: the pages are the test's own. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { call } from '../level-calls.js';
import { AbstractLevelDOWN } from '../abstract-leveldown.js';
import type { PageRequest } from './data-reader.js';
import { EntrySizes } from './entry-sizes.js';
import { type IteratorSettings, MongoIterator } from './iterator.js';
import type { MergedPage } from './merged-page.js';

const KEYS = Array.from({ length: 5000 }, (_, n) => `k${String(n).padStart(5, '0')}`);
const DB = new AbstractLevelDOWN({
  bufferKeys: true,
  snapshots: false,
  permanence: true,
  seek: true,
  clear: true,
  getMany: true,
  createIfMissing: true,
  errorIfExists: true,
});

function pageOf({ bounds, limit }: PageRequest): MergedPage {
  const from = KEYS.findIndex(key => key > (bounds.gt ?? '') && key >= (bounds.gte ?? ''));
  const keys = from < 0 ? [] : KEYS.slice(from, from + limit);
  return {
    entries: keys.map(key => [key, Buffer.from(key)]),
    rest: keys.length < limit ? undefined : { gt: keys.at(-1) ?? '' },
  };
}

function open(settings: Partial<IteratorSettings> = {}) {
  const asked: PageRequest[] = [];
  const source = { page: (request: PageRequest) => Promise.resolve(pageOf(request)) };
  const iterator = new MongoIterator(
    DB,
    {
      bounds: {},
      reverse: false,
      limit: -1,
      keys: true,
      values: true,
      keyAsBuffer: false,
      valueAsBuffer: false,
      readAhead: true,
      pageBytes: Infinity,
      sizes: new EntrySizes(),
      ...settings,
    },
    request => {
      asked.push(request);
      return source.page(request);
    },
  );
  const next = () =>
    new Promise<unknown>((resolve, reject) => {
      iterator.next((err, ...[key]) => (err ? reject(err) : resolve(key)));
    });
  /** Up to `count` keys. */
  const read = async (count = Infinity): Promise<unknown[]> => {
    const keys: unknown[] = [];
    while (keys.length < count) {
      const key = await next();
      if (key === undefined) break;
      keys.push(key);
    }
    return keys;
  };
  return { iterator, asked, source, next, read, end: () => call(done => iterator.end(done)) };
}

test('a page of 1000 keys has nothing read ahead, and a long listing has the next page on its way', async () => {
  const { asked, read, end } = open();
  const keys = await read(1100);
  assert.equal(asked.length, 2);
  keys.push(...(await read(100)));
  assert.equal(asked.length, 3);
  keys.push(...(await read(200)));
  assert.equal(asked.length, 4, 'before its page is used up');
  keys.push(...(await read()));
  assert.deepEqual(keys, KEYS);
  assert.equal(asked.length, 6);
  await end();
});

test('no more is asked for than the limit, nor ahead where it must not be', async () => {
  const limited = open({ limit: 2345 });
  assert.deepEqual(await limited.read(), KEYS.slice(0, 2345));
  assert.deepEqual(
    limited.asked.map(({ limit }) => limit),
    [100, 1000, 1000, 245],
  );
  const alone = open({ readAhead: false });
  await alone.read(2000);
  assert.equal(alone.asked.length, 3);
});

test('a page that cannot be read fails where its reader comes to it, and can be asked for again', async () => {
  const { source, read, next } = open();
  const keys = await read(1200);
  source.page = () => Promise.reject(new Error('no primary'));
  keys.push(...(await read(900)));
  await assert.rejects(next(), /no primary/);
  source.page = request => Promise.resolve(pageOf(request));
  keys.push(...(await read()));
  assert.deepEqual(keys, KEYS);
});

test('a page that could not be read ahead is read anew when its reader comes to it', async () => {
  const { asked, source, read } = open();
  const keys = await read(1200);
  source.page = () => Promise.reject(new Error('no primary'));
  keys.push(...(await read(300)));
  assert.equal(asked.length, 4, 'it is not asked for again and again');
  source.page = request => Promise.resolve(pageOf(request));
  keys.push(...(await read()));
  assert.deepEqual(keys, KEYS);
});

test('beside a page with large values nothing is read ahead', async () => {
  const { asked, source, read } = open();
  const value = Buffer.alloc(2000);
  source.page = request => {
    const { entries, rest } = pageOf(request);
    return Promise.resolve({ entries: entries.map(([key]) => [key, value]), rest });
  };
  const keys = await read(2000);
  assert.equal(asked.length, 3);
  keys.push(...(await read()));
  assert.deepEqual(keys, KEYS);
});

test('pages of large values have fewer entries, also the first of another reader', async () => {
  const sizes = new EntrySizes();
  const pageBytes = 200_000;
  const openLarge = () => {
    const opened = open({ pageBytes, sizes });
    opened.source.page = request => {
      const { entries, rest } = pageOf(request);
      return Promise.resolve({ entries: entries.map(([key]) => [key, Buffer.alloc(20_000)]), rest });
    };
    return opened;
  };
  const first = openLarge();
  assert.deepEqual(await first.read(500), KEYS.slice(0, 500));
  const second = openLarge();
  assert.deepEqual(await second.read(50), KEYS.slice(0, 50));
  const [unknown, ...known] = [...first.asked, ...second.asked].map(({ limit }) => limit);
  assert.equal(unknown, 100);
  for (const limit of known) assert.ok(limit > 1 && limit * 20_000 <= pageBytes, `${limit} entries`);
  const keysOnly = open({ pageBytes, sizes, values: false });
  await keysOnly.read(200);
  assert.deepEqual(
    keysOnly.asked.map(({ limit }) => limit),
    [100, 1000],
  );
});

test('after a seek nothing comes of what was read ahead', async () => {
  const { iterator, read } = open();
  await read(1500);
  Reflect.apply(Reflect.get(iterator, 'seek') as (target: string) => void, iterator, [KEYS[10]]);
  assert.deepEqual(await read(2), KEYS.slice(10, 12));
});

test('an end waits for the page that is on its way', async () => {
  const { source, read, end } = open();
  await read(1200);
  let arrive = (): void => undefined;
  source.page = request => new Promise(resolve => (arrive = () => resolve(pageOf(request))));
  await read(300);
  let ended = false;
  const ending = end().then(() => (ended = true));
  for (let turns = 0; turns < 5; turns += 1) await nextTurn();
  assert.equal(ended, false);
  arrive();
  await ending;
});
