import assert from 'node:assert/strict';
import test from 'node:test';
import { MEMDOWN } from '../testing/level-place.js';
import { OpenLevel } from './open-level.js';
import { ValueCache } from './value-cache.js';

const MANY = 1024 * 1024;

/** A cache that has read `value` under `k`. */
function knowing(value: string, maxBytes = MANY): ValueCache {
  const cache = new ValueCache(maxBytes);
  cache.end('k', cache.begin('k'), value);
  return cache;
}

test('what was read is known until its key is written', () => {
  const cache = knowing('old');
  assert.equal(cache.get('k'), 'old');
  const onWritten = cache.write(['k', 'other']);
  assert.equal(cache.get('k'), undefined, 'while it is written');
  onWritten();
  assert.equal(cache.get('k'), undefined, 'after it');
  cache.end('k', cache.begin('k'), 'new');
  assert.equal(cache.get('k'), 'new');
});

for (const [when, begin, end] of [
  ['began before the write and ended in it', 0, 1],
  ['began before the write and ended after it', 0, 2],
  ['began and ended in the write', 1, 1],
  ['began in the write and ended after it', 1, 2],
] as const) {
  test(`a read that ${when} is not kept`, () => {
    const cache = new ValueCache(MANY);
    let reading: symbol | undefined;
    let onWritten = (): void => undefined;
    for (const moment of [0, 1, 2]) {
      if (moment === 1) onWritten = cache.write(['k']);
      if (moment === 2) onWritten();
      if (moment === begin) reading = cache.begin('k');
      if (moment === end && reading) cache.end('k', reading, 'may be old');
    }
    assert.equal(cache.get('k'), undefined);
  });
}

test('nothing is known after the store was closed, nor from a read that was under way then', () => {
  const cache = knowing('old');
  const reading = cache.begin('k2');
  cache.clear();
  cache.end('k2', reading, 'old');
  assert.deepEqual([cache.get('k'), cache.get('k2')], [undefined, undefined]);
});

test('a key without a value, and a read that failed, are asked for again', () => {
  const cache = new ValueCache(MANY);
  cache.end('k', cache.begin('k'), undefined);
  assert.equal(cache.get('k'), undefined);
});

test('it holds no more than its bytes, and of what is asked for again and again nothing is dropped', () => {
  const cache = new ValueCache(100 * 1000);
  const value = 'v'.repeat(300);
  const keys = Array.from({ length: 1000 }, (_, n) => `key${n}`);
  for (const key of keys) {
    cache.end(key, cache.begin(key), value);
    if (cache.get('key0') === undefined) assert.fail(`key0 was dropped at ${key}`);
  }
  const known = keys.filter(key => cache.get(key) !== undefined);
  assert.ok(known.length > 10, 'it holds something');
  assert.ok(known.length * 2 * value.length <= 100 * 1000, `it holds ${known.length}`);
});

test('what comes finds room, also when all that is there was asked for, was written, or is forgotten', () => {
  const cache = new ValueCache(100 * 1000);
  const value = 'v'.repeat(300);
  let newest = 0;
  const keyOf = (n: number): string => `key${String(n).padStart(6, '0')}`;
  const keys = (): string[] => Array.from({ length: newest }, (_, n) => keyOf(n));
  const known = (): number => keys().filter(key => cache.get(key) !== undefined).length;
  const add = (count: number): void => {
    for (; count > 0; count -= 1) {
      const key = keyOf(newest++);
      cache.end(key, cache.begin(key), value);
      assert.equal(cache.get(key), value);
    }
  };
  add(1000);
  const full = known();
  add(500);
  assert.equal(known(), full, 'all were asked for');
  cache.write(keys().slice(-full / 2))();
  assert.ok(known() < full);
  add(1000);
  assert.equal(known(), full, 'half were written');
  cache.clear();
  assert.equal(known(), 0);
  add(1000);
  assert.equal(known(), full, 'all were forgotten');
});

test('a value that is large beside the cache is not kept', () => {
  assert.equal(knowing('x'.repeat(10_000), 100_000).get('k'), undefined);
});

for (const soleOwner of [true, false]) {
  test(`a store that ${soleOwner ? 'nobody else' : 'somebody else, too,'} changes is ${soleOwner ? 'not ' : ''}asked again`, async t => {
    const level = Object.assign(await (await MEMDOWN.place(t)).level(), { soleOwner });
    const store = await OpenLevel.open(level, { cacheBytes: MANY });
    await store.batch([{ type: 'put', key: 'k', value: 'one' }]);
    assert.equal(await store.get('k'), 'one');
    await new Promise<void>((resolve, reject) =>
      level.put('k', 'two', err => (err ? reject(err) : resolve())),
    );
    assert.equal(await store.get('k'), soleOwner ? 'one' : 'two');
    await store.batch([{ type: 'put', key: 'k', value: 'three' }]);
    assert.equal(await store.get('k'), 'three');
    await store.reopen();
    assert.equal(await store.get('k'), 'three');
    await store.close();
  });
}
