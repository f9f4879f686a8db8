/** What is read from the files of a LevelDB is what LevelDB itself reads. */
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, openLevel, readEntries, writeBatch } from './level-calls.js';
import { levelDbAtRest } from './leveldb-at-rest.js';
import { leveldown } from './leveldown-binding.js';
import type { WrittenEntry } from './plugin.js';

const KEYS = 400;
const keyOf = (n: number): string => `k${String(n).padStart(4, '0')}`;

test('the newest entry of each key, and the numbers of the writes, are those of LevelDB', async t => {
  const random = seededRandom(t);
  const folder = path.join(await temporaryFolder(t), 'db');
  assert.equal(await levelDbAtRest(folder), undefined);
  let [writes, opened] = [0, 0];
  /** The number of the last write to a key. */
  const last = new Map<string, number>();
  for (let round = 0; round < 6; round += 1) {
    const level = leveldown(folder);
    await openLevel(level);
    for (let n = 0; n < 150; n += 1) {
      const key = keyOf(random.integer(0, KEYS - 1));
      const pad = n % 3 === 0 ? 'x'.repeat(50_000) : String(random.integer(0, 1e9)).repeat(300);
      await writeBatch(level, [
        random.integer(0, 3) === 0
          ? { type: 'del', key }
          : { type: 'put', key, value: `${round} ${n} ${pad}` },
      ]);
      writes += 1;
      last.set(key, writes);
    }
    if (round % 3 === 2) await leveldown.compact(level);
    const expected = new Map<string, string>();
    for await (const { key, value } of readEntries(level)) expected.set(key.toString(), value.toString());
    await closeLevel(level);

    const store = await levelDbAtRest(folder);
    assert.ok(store !== undefined && store.opened > opened);
    opened = store.opened;
    assert.equal(await store.lastWrite(), writes);
    const read = async (ranges: readonly [string, string][]): Promise<Map<string, string>> => {
      const newest = new Map<string, WrittenEntry>();
      const bytes = ranges.map(([from, to]) => ({ from: Buffer.from(from), to: Buffer.from(to) }));
      for await (const entry of store.entries(bytes)) {
        const key = entry.key.toString();
        if (entry.written > (newest.get(key)?.written ?? 0)) newest.set(key, entry);
      }
      for (const [key, { written }] of newest) assert.equal(written, last.get(key), key);
      const puts = [...newest].flatMap(([key, { value }]) =>
        value === undefined ? [] : [[key, value.toString()] as const],
      );
      return new Map(puts.sort(([a], [b]) => (a < b ? -1 : 1)));
    };
    assert.deepEqual(await read([['', 'z']]), expected);
    const some = [...Array(KEYS).keys()].filter(() => random.integer(0, 9) === 0).map(keyOf);
    const ofSome = new Map([...expected].filter(([key]) => some.includes(key)));
    assert.deepEqual(await read(some.reverse().map(key => [key, key] as [string, string])), ofSome);
    assert.deepEqual(await read([]), new Map());
  }
});
