import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import type { BlobChecksum } from '../../../data-store.js';
import { ChecksumTable } from './checksum-table.js';

test('what was added is found, of each key all, and nothing else, also when it grows', t => {
  const random = seededRandom(t);
  const table = new ChecksumTable(100_000);
  const model = new Map<string, BlobChecksum[]>();
  const add = (key: string, checksum: BlobChecksum): void => {
    assert.ok(table.add(key, checksum));
    const known = model.get(key) ?? [];
    const isNew = known.every(one => one.length !== checksum.length || one.checksum !== checksum.checksum);
    if (isNew) model.set(key, [...known, checksum]);
  };
  for (let index = 0; index < 20_000; index += 1) {
    const key = random.integer(0, 2 ** 32 - 1).toString(16);
    const checksum = {
      length: random.integer(0, 1) * 2 ** 40 + random.integer(0, 2 ** 32 - 1),
      checksum: random.integer(0, 2 ** 32 - 1),
    };
    add(key, checksum);
    if (index % 10 === 0) add(key, checksum);
    if (index % 7 === 0) add(key, { length: 0, checksum: 0 });
  }
  for (const [key, known] of model) {
    const byChecksum = (one: BlobChecksum, other: BlobChecksum): number => one.checksum - other.checksum;
    assert.deepEqual(table.find(key).sort(byChecksum), [...known].sort(byChecksum));
  }
  for (let index = 0; index < 1000; index += 1) assert.deepEqual(table.find(`none ${index}`), []);
});

test('beyond its bound it takes nothing more', () => {
  const table = new ChecksumTable(3);
  const checksum = { length: 1, checksum: 1 };
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map(key => table.add(key, checksum)),
    [true, true, true, false],
  );
  assert.deepEqual(table.find('d'), []);
  assert.equal(table.count, 3);
});
