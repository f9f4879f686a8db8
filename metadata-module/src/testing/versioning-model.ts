/**
 * The model test: random calls, one after the other and several at once, against the rules of versioning.
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

/** Registers the model tests for one kind of LevelDOWN. */
export function testVersioningModel(kind: LevelKind): void {
  const runs = Math.max(5, Math.ceil(RUNS * kind.effort));
  for (const [clients, name] of [
    [1, 'random calls of one client do what the rules say, and the log replayed is the store'],
    [4, 'random calls of several clients at once do what the rules say in some order'],
  ] as const) {
    test(`${kind.name}: ${name}`, async t => {
      const property = fc.asyncProperty(scripts(clients), async script => {
        const cleanups: (() => unknown)[] = [];
        const place = await kind.place({ after: (cleanup: () => unknown) => void cleanups.push(cleanup) });
        try {
          await runScript(place, script);
        } finally {
          for (const cleanup of cleanups.reverse()) await cleanup();
        }
      });
      await fc.assert(property, propertyOptions(t, runs));
    });
  }
}
