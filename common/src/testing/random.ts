/** Random numbers for tests that can be had again: each such test prints its seed, and TEST_SEED sets it. */
import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';

export interface Random {
  readonly seed: number;
  /** A whole number from `min` to `max`, both included. */
  readonly integer: (min: number, max: number) => number;
}

/** The random numbers of one test, its seed printed among the test's results. */
export function seededRandom(t: Pick<TestContext, 'diagnostic'>): Random {
  const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TEST_SEED=${seed}`);
  return randomOf(seed);
}

/** The random numbers that belong to `seed`. */
export function randomOf(seed: number): Random {
  let state = seed;
  const next = (): number => {
    // xorshift32, on a state that is never 0
    state = state | 0 || 1;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return { seed, integer: (min, max) => min + Math.floor(next() * (max - min + 1)) };
}
