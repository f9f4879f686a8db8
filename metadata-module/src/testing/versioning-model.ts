/**
 * The model test: random calls, one after the other, several at once, and with batches that fail beside readers,
 * against the rules of versioning.
 * Any kind of LevelDOWN can run it.
 */
import test from 'node:test';
import fc from 'fast-check';
import type { LevelKind } from './level-place.js';
import { runScript } from './model/run.js';
import { scripts } from './model/scripts.js';
import { propertyOptions } from './seed.js';

/** Random scripts per test for a LevelDOWN with effort 1. */
const RUNS = 2000;
/** With failures a script takes longer. */
const MAX_FAILING_RUNS = 200;

/** Registers the model tests for one kind of LevelDOWN. */
export function testVersioningModel(kind: LevelKind): void {
  const runs = Math.max(5, Math.ceil(RUNS * kind.effort));
  for (const [clients, failing, name] of [
    [1, false, 'random calls of one client do what the rules say, and the log replayed is the store'],
    [4, false, 'random calls of several clients at once do what the rules say in some order'],
    [
      3,
      true,
      'while batches fail, calls are carried out or not, and readers beside see a state between them',
    ],
  ] as const) {
    test(`${kind.name}: ${name}`, async t => {
      const property = fc.asyncProperty(scripts(clients, failing), async script => {
        const cleanups: (() => unknown)[] = [];
        const place = await kind.place({ after: (cleanup: () => unknown) => void cleanups.push(cleanup) });
        try {
          await runScript(place, script);
        } finally {
          for (const cleanup of cleanups.reverse()) await cleanup();
        }
      });
      await fc.assert(property, propertyOptions(t, failing ? Math.min(runs, MAX_FAILING_RUNS) : runs));
    });
  }
}
