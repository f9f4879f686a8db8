/** What an iterator promises about changes that are made while it is open. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { readEntries, writeBatch } from '../level-calls.js';
import { newPlace, newStore, withLayout, withStore } from './testing/databases.js';

const skip = mongodbMissing;
const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;
const del = (key: string) => ({ type: 'del', key }) as const;
const numbered = (index: number): string => `k${String(index).padStart(4, '0')}`;

test(
  'while others write, keys that stay are seen once, and no batch is seen in part within a page',
  { skip },
  async t => {
    const random = seededRandom(t);
    await withStore(newStore(await newPlace(t)), async store => {
      const stays = Array.from({ length: 260 }, (_, index) => numbered(index * 2));
      await writeBatch(
        store,
        stays.map(key => put(key, '0')),
      );
      const stop = new AbortController();
      const writing = (async () => {
        for (let number = 1; !stop.signal.aborted; number += 1) {
          // Two neighbours come and go together; some keys that stay change.
          const index = random.integer(0, 40) * 2 + 1;
          const pair = [`${numbered(index)}x`, `${numbered(index)}y`];
          const change = number % 2 ? pair.map(key => put(key, String(number))) : pair.map(del);
          const kept = stays[random.integer(0, stays.length - 1)] ?? '';
          await writeBatch(store, [...change, put(kept, String(number))]);
        }
      })();
      try {
        for (let round = 0; round < 12; round += 1) {
          const reverse = round % 2 === 1;
          const found: string[] = [];
          const values = new Map<string, string>();
          for await (const { key, value } of readEntries(store, { reverse })) {
            found.push(key.toString());
            values.set(key.toString(), value.toString());
          }
          assert.equal(new Set(found).size, found.length);
          assert.deepEqual(
            found.filter(key => key.length === 5),
            reverse ? [...stays].reverse() : stays,
          );
          assert.deepEqual(found, reverse ? [...found].sort().reverse() : [...found].sort());
          // The pairs are within the first page of a forward iterator.
          if (reverse) continue;
          for (const [key, value] of values) {
            if (key.endsWith('x')) assert.equal(values.get(key.replace('x', 'y')), value);
            if (key.endsWith('y')) assert.equal(values.get(key.replace('y', 'x')), value);
          }
        }
      } finally {
        stop.abort();
        await writing;
      }
    });
  },
);

test('what was acknowledged before the iterator was made is seen, applied or not', { skip }, async t => {
  await withStore(newStore(await newPlace(t)), async store => {
    for (let number = 0; number < 40; number += 1) {
      await writeBatch(store, [put(numbered(number), String(number)), del(numbered(number - 5))]);
      const found: string[] = [];
      for await (const { key } of readEntries(store)) found.push(key.toString());
      const first = Math.max(0, number - 4);
      assert.deepEqual(
        found,
        Array.from({ length: number - first + 1 }, (_, index) => numbered(first + index)),
      );
    }
  });
});

test('a page sees what is written after the iterator was made, once it is asked for', { skip }, async t => {
  const place = await newPlace(t);
  await withStore(newStore(place), async store => {
    await writeBatch(
      store,
      Array.from({ length: 150 }, (_, index) => put(numbered(index), 'old')),
    );
    // What is not applied yet comes with the first page, whatever its size.
    await withLayout(place, async ({ data }) => {
      while ((await data.countDocuments({ applied: { $gte: 1 } })) < 2) await sleep(20);
    });
    const entries = readEntries(store);
    assert.equal((await entries.next()).value?.value.toString(), 'old');
    await writeBatch(store, [put(numbered(1), 'new'), put(numbered(149), 'new'), del(numbered(148))]);
    const found = new Map<string, string>();
    for await (const { key, value } of entries) found.set(key.toString(), value.toString());
    assert.equal(found.size, 148);
    assert.deepEqual([found.get(numbered(1)), found.get(numbered(149))], ['old', 'new']);
  });
});
