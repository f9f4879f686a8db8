/** Seeds of property tests: printed with the results, and taken again from TEST_SEED. */
import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { Parameters } from 'fast-check';

/** Settings for a property that is tried `runs` times. A failure shows the shrunk case. */
export function propertyOptions<T>(t: Pick<TestContext, 'diagnostic'>, runs: number): Parameters<T> {
  const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TEST_SEED=${seed}, ${runs} runs`);
  return { seed, numRuns: runs, includeErrorInReport: true };
}
