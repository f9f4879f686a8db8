/**
 * Writes numbered batches without end until it is killed, and prints each number once it is acknowledged:
 * `node crash-writer.js <folder> <first number>`. Batch n puts `count` to n and, under ten keys that other
 * batches share, n; some are joined, some not synced, and snapshots are taken all the time.
 */
import { writeSync } from 'node:fs';
import { openLevel, writeBatch } from '../../level-calls.js';
import { JsonDown } from '../json-down.js';

const [folder = '', first = '0'] = process.argv.slice(2);
const store = new JsonDown(folder, { journalMinBytes: 4096 });
await openLevel(store);
let number = Number(first);
for (;;) {
  const together = Array.from({ length: 1 + (number % 4) }, (_, index) => number + index);
  number += together.length;
  await Promise.all(
    together.map(async batch => {
      const keys = Array.from({ length: 10 }, (_, index) => `key-${(batch * 7 + index) % 50}`);
      await writeBatch(
        store,
        ['count', ...keys].map(key => ({ type: 'put', key, value: String(batch) })),
      );
      writeSync(1, `${batch}\n`);
    }),
  );
}
