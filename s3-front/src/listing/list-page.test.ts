import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '@zenko-modules/common/testing/random';
import type { KeyRange, StoredItem } from '../metadata-client.js';
import { decodeToken, encodeToken } from './continuation-token.js';
import { afterPrefix } from './key-bounds.js';
import type { ListedObject } from './current-objects.js';
import { listPage as listPageOf, type Page as PageOf, type PageRequest } from './list-page.js';
import type { ReadRange } from './skipping-reader.js';

/** A database in memory that counts what is read of it. */
class Database {
  readonly #items: readonly StoredItem[];
  reads = 0;
  streams = 0;
  open = 0;

  constructor(items: Iterable<readonly [string, object]>) {
    this.#items = [...items]
      .map(([key, value]) => ({ key, value: JSON.stringify(value) }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  readonly read = (range: KeyRange): AsyncGenerator<readonly StoredItem[], void, undefined> =>
    this.#read(range);

  /** One, two or three at once. */
  async *#read({ gt, gte, lt }: KeyRange): AsyncGenerator<readonly StoredItem[], void, undefined> {
    this.streams += 1;
    this.open += 1;
    let batch: StoredItem[] = [];
    try {
      for (const item of this.#items) {
        if (gt !== undefined && compare(item.key, gt) <= 0) continue;
        if (gte !== undefined && compare(item.key, gte) < 0) continue;
        if (lt !== undefined && compare(item.key, lt) >= 0) break;
        this.reads += 1;
        batch.push(item);
        if (batch.length <= this.reads % 3) continue;
        yield await Promise.resolve(batch);
        batch = [];
      }
      yield batch;
    } finally {
      this.open -= 1;
    }
  }
}

interface Page extends Omit<PageOf<unknown>, 'parts' | 'objects'> {
  readonly objects: readonly ListedObject[];
}

async function listPage(read: ReadRange, request: PageRequest): Promise<Page> {
  const { parts, objects: count, ...page } = await listPageOf(read, request, together => together);
  const objects = parts.flat();
  assert.equal(count, objects.length);
  return { ...page, objects };
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const LIVE = { isDeleteMarker: false };

function keysOf(page: Page): string[] {
  return page.objects.map(({ key }) => key);
}

/** All pages, one after the other. */
async function listAll(database: Database, request: Omit<PageRequest, 'after'>): Promise<Page[]> {
  const pages: Page[] = [];
  let after = '';
  do {
    const page = await listPage(database.read, { ...request, after });
    pages.push(page);
    after = page.next ?? '';
    assert.ok(pages.length < 1000, 'the pages do not come to an end');
  } while (after !== '');
  assert.equal(database.open, 0, 'every stream is closed');
  return pages;
}

test('pages of any size, prefix and delimiter hold together what a naive listing holds', async t => {
  const { seed } = seededRandom(t);
  const character = fc.constantFrom('a', 'b', '/', 'é', '\u{1F600}', '\uFFFD', '\uD7FF', '~', ' ');
  const text = fc.string({ unit: character, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(
        text.filter(key => key !== ''),
        { maxLength: 30 },
      ),
      fc.string({ unit: character, maxLength: 2 }),
      fc.constantFrom('', '/', 'a', 'a/', '\u{1F600}'),
      fc.integer({ min: 1, max: 7 }),
      async (keys, prefix, delimiter, maxKeys) => {
        const database = new Database(keys.map(key => [key, LIVE]));
        const pages = await listAll(database, { prefix, delimiter, maxKeys });
        const expected = naiveListing(keys, prefix, delimiter);
        assert.deepEqual(pages.flatMap(keysOf), expected.objects);
        assert.deepEqual(
          pages.flatMap(page => page.commonPrefixes),
          expected.commonPrefixes,
        );
        for (const page of pages.slice(0, -1)) {
          assert.equal(page.objects.length + page.commonPrefixes.length, maxKeys);
        }
        const last = pages.at(-1);
        assert.ok(pages.length === 1 || (last && last.objects.length + last.commonPrefixes.length > 0));
      },
    ),
    { seed, numRuns: 1000 },
  );
});

function naiveListing(keys: readonly string[], prefix: string, delimiter: string) {
  const objects: string[] = [];
  const commonPrefixes = new Set<string>();
  for (const key of [...keys].sort(compare)) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (at < 0) objects.push(key);
    else commonPrefixes.add(key.slice(0, at + delimiter.length));
  }
  return { objects, commonPrefixes: [...commonPrefixes] };
}

test('a page that begins anywhere holds what comes after', async t => {
  const { seed } = seededRandom(t);
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\u{1F600}', '/'), maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(
        text.filter(key => key !== ''),
        { maxLength: 20 },
      ),
      text,
      text,
      async (keys, prefix, after) => {
        const database = new Database(keys.map(key => [key, LIVE]));
        const page = await listPage(database.read, { prefix, delimiter: '', after, maxKeys: 1000 });
        const expected = keys.filter(key => key.startsWith(prefix) && compare(key, after) > 0).sort(compare);
        assert.deepEqual(keysOf(page), expected);
      },
    ),
    { seed, numRuns: 500 },
  );
});

test('a page that begins within a common prefix begins behind it, as in CloudServer', async () => {
  const database = new Database(['a/1', 'a/2', 'b', 'c/1'].map(key => [key, LIVE]));
  const page = await listPage(database.read, { prefix: '', delimiter: '/', after: 'a/1', maxKeys: 10 });
  assert.deepEqual([keysOf(page), page.commonPrefixes], [['b'], ['c/']]);
});

test('a page of no keys is empty, is the last, and reads nothing', async () => {
  const database = new Database([['a', LIVE]]);
  const page = await listPage(database.read, { prefix: '', delimiter: '', after: '', maxKeys: 0 });
  assert.deepEqual(page, { objects: [], commonPrefixes: [], next: undefined });
  assert.equal(database.streams, 0);
});

test('a page is the last exactly when nothing more can be listed', async () => {
  const items: [string, object][] = ['a', 'b', 'c/1', 'c/2'].map(key => [key, LIVE]);
  items.push(['d', { isDeleteMarker: true }], ['e', { isPHD: true }]);
  const database = new Database(items);
  for (const [maxKeys, next] of [
    [1, 'a'],
    [2, 'b'],
    [3, undefined],
    [4, undefined],
  ] as const) {
    const page = await listPage(database.read, { prefix: '', delimiter: '/', after: '', maxKeys });
    assert.equal(page.next, next);
  }
});

test('a listing does not read what lies behind its page', async () => {
  const keys = Array.from({ length: 10_000 }, (_, number) => `key${String(number).padStart(6, '0')}`);
  const database = new Database(keys.map(key => [key, LIVE]));
  const page = await listPage(database.read, { prefix: '', delimiter: '', after: '', maxKeys: 10 });
  assert.equal(page.next, 'key000009');
  // One more says that the page is not the last; two may have come with it.
  assert.ok(database.reads >= 11 && database.reads <= 13, `${database.reads} entries were read`);
});

test('a common prefix over many keys is passed over, not read', async () => {
  const keys = ['a', 'b', 'c'].flatMap(folder =>
    Array.from({ length: 5000 }, (_, number) => `${folder}/${String(number).padStart(6, '0')}`),
  );
  const database = new Database(keys.map(key => [key, LIVE]));
  const page = await listPage(database.read, { prefix: '', delimiter: '/', after: '', maxKeys: 1000 });
  assert.deepEqual(page.commonPrefixes, ['a/', 'b/', 'c/']);
  assert.ok(database.reads < 500, `${database.reads} entries were read`);
});

test('common prefixes over few keys are read in one stream', async () => {
  const keys = Array.from({ length: 200 }, (_, number) => `${String(number).padStart(6, '0')}/x`);
  const database = new Database(keys.map(key => [key, LIVE]));
  const page = await listPage(database.read, { prefix: '', delimiter: '/', after: '', maxKeys: 1000 });
  assert.equal(page.commonPrefixes.length, 200);
  assert.equal(database.streams, 1);
});

const ID = (order: number): string => `9820470344${String(order).padStart(4, '0')}999999RG001  0`;

test('versions, delete markers and place holders of a bucket with versioning are not listed', async () => {
  const database = new Database([
    ['deleted', { isDeleteMarker: true, versionId: ID(1) }],
    [`deleted\0${ID(1)}`, { isDeleteMarker: true }],
    [`deleted\0${ID(2)}`, LIVE],
    ['k', { ...LIVE, versionId: ID(3) }],
    [`k\0${ID(3)}`, LIVE],
    [`k\0${ID(4)}`, LIVE],
    ['k/1', LIVE],
    ['null', { ...LIVE, isNull: true }],
    ['null\0', LIVE],
    [`orphan\0${ID(5)}`, LIVE],
    ['z', LIVE],
  ]);
  const page = await listPage(database.read, { prefix: '', delimiter: '', after: '', maxKeys: 1000 });
  assert.deepEqual(keysOf(page), ['k', 'k/1', 'null', 'z']);
  const after = await listPage(database.read, { prefix: '', delimiter: '', after: 'k', maxKeys: 1000 });
  assert.deepEqual(keysOf(after), ['k/1', 'null', 'z']);
});

test('a place holder is listed as the newest of its versions', async () => {
  const holder = { isPHD: true, versionId: ID(0) };
  const database = new Database([
    ['a', holder],
    [`a\0${ID(2)}`, { 'content-md5': 'newest' }],
    [`a\0${ID(3)}`, { 'content-md5': 'older' }],
    ['b', holder],
    [`b\0${ID(2)}`, { isDeleteMarker: true }],
    [`b\0${ID(3)}`, { 'content-md5': 'older' }],
    ['c', holder],
    ['c\0', { 'content-md5': 'newest', versionId: ID(1) }],
    [`c\0${ID(2)}`, { 'content-md5': 'older' }],
    ['d', holder],
    ['d\0', { 'content-md5': 'older', versionId: ID(3) }],
    [`d\0${ID(2)}`, { 'content-md5': 'newest' }],
    ['e', holder],
    ['e\0', { 'content-md5': 'newest' }],
    ['f', holder],
    ['g', { 'content-md5': 'newest' }],
  ]);
  const page = await listPage(database.read, { prefix: '', delimiter: '', after: '', maxKeys: 1000 });
  assert.deepEqual(keysOf(page), ['a', 'c', 'd', 'e', 'g']);
  assert.ok(page.objects.every(({ value }) => value['content-md5'] === 'newest'));
});

test('a key with very many versions is passed over, not read', async () => {
  const versions = Array.from({ length: 5000 }, (_, order): [string, object] => [`a\0${ID(order)}`, LIVE]);
  const database = new Database([['a', LIVE], ...versions, ['b', LIVE]]);
  const page = await listPage(database.read, { prefix: '', delimiter: '', after: '', maxKeys: 1000 });
  assert.deepEqual(keysOf(page), ['a', 'b']);
  assert.ok(database.reads < 200, `${database.reads} entries were read`);
});

test('a stream that fails makes the listing fail, and is closed', async () => {
  const failing = async function* (): AsyncGenerator<readonly StoredItem[], void, undefined> {
    yield await Promise.resolve([{ key: 'a', value: '{}' }]);
    throw new Error('lost');
  };
  await assert.rejects(listPage(failing, { prefix: '', delimiter: '', after: '', maxKeys: 10 }), /lost/);
  const damaged = new Database([]);
  const notJson = async function* (): AsyncGenerator<readonly StoredItem[], void, undefined> {
    yield await Promise.resolve([{ key: 'a', value: '{' }]);
  };
  await assert.rejects(listPage(notJson, { prefix: '', delimiter: '', after: '', maxKeys: 10 }), /not JSON/);
  assert.equal(damaged.open, 0);
});

test('the bound after a prefix lies directly behind all that begins with it', t => {
  const { seed } = seededRandom(t);
  assert.equal(afterPrefix('dir1/'), 'dir10');
  assert.equal(afterPrefix('é'), 'ê');
  assert.equal(afterPrefix('\uD7FF'), '\uE000');
  assert.equal(afterPrefix('a\u{10FFFF}'), 'b');
  assert.equal(afterPrefix('\u{10FFFF}'), undefined);
  assert.equal(afterPrefix(''), undefined);
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(text, text, (prefix, other) => {
      const bound = afterPrefix(prefix);
      if (bound === undefined) return;
      const isBefore = compare(other, bound) < 0;
      assert.equal(isBefore && compare(other, prefix) >= 0, other.startsWith(prefix));
    }),
    { seed, numRuns: 2000 },
  );
});

test('a continuation token comes back as it went, and only those from here are taken', () => {
  for (const after of ['a', 'dir/', '日本', '\u{1F600}', '']) {
    assert.equal(decodeToken(encodeToken(after)), after);
  }
  for (const token of ['', 'x', 'after:a', encodeToken('a') + '=', `${encodeToken('a')}!`, '%00', '../..']) {
    assert.throws(() => decodeToken(token), /continuation token/);
  }
});
