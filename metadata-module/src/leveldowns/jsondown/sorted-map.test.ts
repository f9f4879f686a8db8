import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import fc from 'fast-check';
import { SortedMap, type Cursor, type MapEntry } from './sorted-map.js';

const bytes = fc.uint8Array({ maxLength: 3 }).map(array => Buffer.from(array).toString('latin1'));
const change = fc.record({ key: bytes, value: fc.option(bytes, { nil: undefined }) });

function rest(cursor: Cursor): MapEntry[] {
  const entries: MapEntry[] = [];
  for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
    entries.push({ key: entry.key, value: entry.value });
  }
  return entries;
}

function sorted(model: ReadonlyMap<string, string>): MapEntry[] {
  return [...model]
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.key, 'latin1'), Buffer.from(b.key, 'latin1')));
}

test('after any changes it holds what a plain map holds, in byte order, and older maps hold what they held', t => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), changes => {
      const model = new Map<string, string>();
      let map = SortedMap.empty;
      const moments: [SortedMap, MapEntry[]][] = [];
      for (const { key, value } of changes) {
        if (value === undefined) model.delete(key);
        else model.set(key, value);
        map = value === undefined ? map.delete(key) : map.set(key, value);
        moments.push([map, sorted(model)]);
      }
      for (const [moment, expected] of moments) {
        assert.deepEqual(rest(moment.cursor()), expected);
        assert.equal(moment.size, expected.length);
        const length = expected.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
        assert.equal(moment.byteLength, length);
      }
      for (const { key } of changes) assert.equal(map.get(key), model.get(key));
    }),
    { seed: seededRandom(t).seed },
  );
});

test('a cursor goes on at the first entry at or after its target, in both directions', t => {
  fc.assert(
    fc.property(fc.uniqueArray(bytes, { maxLength: 50 }), bytes, fc.boolean(), (keys, target, reverse) => {
      const entries = sorted(new Map(keys.map(key => [key, key])));
      const cursor = SortedMap.fromAscending(entries).cursor(reverse);
      cursor.seek(target);
      const expected = reverse
        ? entries.filter(({ key }) => key <= target).reverse()
        : entries.filter(({ key }) => key >= target);
      assert.deepEqual(rest(cursor), expected);
    }),
    { seed: seededRandom(t).seed },
  );
});

test('it stays balanced: keys that come and go in order take logarithmic time and no deep recursion', () => {
  const count = 200_000;
  const keyOf = (number: number): string => number.toString(36).padStart(6, '0');
  let map = SortedMap.empty;
  for (let number = 0; number < count; number += 1) map = map.set(keyOf(number), '');
  for (let number = 0; number < count - 10; number += 1) map = map.delete(keyOf(number));
  assert.deepEqual(
    rest(map.cursor()).map(({ key }) => key),
    Array.from({ length: 10 }, (_, index) => keyOf(count - 10 + index)),
  );
});
