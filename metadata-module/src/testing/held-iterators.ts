/** Makes a LevelDOWN hold the steps of its iterators, so that a test does something in the middle of a range. */
import type { LevelDown } from '../leveldowns/plugin.js';

type Callback = (err?: Error | null, key?: unknown, value?: unknown) => void;

interface SteppedIterator {
  next(callback: Callback): unknown;
}

/**
 * `before` is awaited before each step of each iterator of `level`; `step` counts the iterator's own from 1. What it
 * answers, if anything, is given to the reader in place of the step.
 */
export function holdIterators(
  level: LevelDown,
  before: (step: number) => Promise<'says that there is no more' | undefined>,
): void {
  const make = level.iterator.bind(level);
  const iterator = (range: object): SteppedIterator => {
    const real: SteppedIterator = make(range);
    const next = real.next.bind(real);
    let step = 0;
    real.next = callback => {
      step += 1;
      before(step).then(
        answer => (answer === undefined ? next(callback) : callback()),
        (err: unknown) => callback(err as Error),
      );
      return real;
    };
    return real;
  };
  Object.assign(level, { iterator });
}
