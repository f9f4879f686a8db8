import assert from 'node:assert/strict';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { PartitionedLines, PARTITIONS } from './partitioned-lines.js';

test('lines of any length and alphabet come back in their order, those of one key from one file', async t => {
  const lines = new PartitionedLines(await temporaryFolder(t));
  const added = Array.from({ length: 5000 }, (_, n) => `${n} ${'ö😀\u2028'.repeat(n % 7)}`);
  added.splice(1000, 0, 'x'.repeat(16 * 1024 - 1), 'y'.repeat(16 * 1024), 'z'.repeat(100_000), '');
  for (const line of added) await lines.add(`key ${line.length % 3}`, line);
  const found: string[] = [];
  let used = 0;
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const before = found.length;
    for await (const line of lines.read(partition)) found.push(line);
    if (found.length > before) used += 1;
  }
  assert.equal(lines.count, added.length);
  assert.ok(used <= 3);
  const inOrder = (all: readonly string[]): string[][] =>
    [0, 1, 2].map(rest => all.filter(({ length }) => length % 3 === rest));
  assert.deepEqual(inOrder(found), inOrder(added));
});
