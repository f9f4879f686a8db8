/**
 * Writes numbered batches without end until it is killed, and prints each number once it is acknowledged:
 * `node crash-writer.js <spec as JSON>`. Batch n puts `count` to n and, under ten keys that other batches
 * share, n; some are joined, and snapshots are taken all the time.
 */
import { openLevel, writeBatch } from '../../level-calls.js';
import type { LevelDown } from '../../plugin.js';

export interface WriterSpec {
  /** URL of a module that exports `open(options)`, which makes the store. */
  readonly module: string;
  readonly options: unknown;
  readonly first: number;
}

export interface WriterModule {
  readonly open: (options: unknown) => LevelDown;
}

const { module, options, first } = JSON.parse(process.argv[2] ?? '') as WriterSpec;
const store = ((await import(module)) as WriterModule).open(options);
await openLevel(store);
let number = first;
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
      process.stdout.write(`${batch}\n`);
    }),
  );
}
