/**
 * The loop behind every repetition of a processor: attempt, judge, wait. Libraries for this give up an attempt
 * that is under way as soon as they are aborted; here an attempt is always waited for, and only a wait is cut.
 */
import { sleep } from '@zenko-modules/common/deadline';

export interface Pauses {
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
}

export interface RetryLoop<T> {
  /** Called with 1, 2, …; it listens to the signal itself. */
  readonly attempt: (number: number) => Promise<T>;
  /** Whether another attempt may follow a failed one. */
  readonly again: (err: unknown) => boolean | Promise<boolean>;
  /** They double from the shortest to the longest, with jitter. */
  readonly pauses: Pauses;
  /** Once aborted, no other attempt begins and no wait goes on. */
  readonly signal: AbortSignal;
}

/**
 * Resolves as the first attempt that succeeds does. Rejects with the error of the last attempt when no other
 * may follow, and with the reason of the signal when that is what kept one from following.
 */
export async function retry<T>({ attempt, again, pauses, signal }: RetryLoop<T>): Promise<T> {
  for (let number = 1; ; number++) {
    signal.throwIfAborted();
    try {
      return await attempt(number);
    } catch (err) {
      // A failure after the abort is one by the abort: nothing is to be learnt from it.
      signal.throwIfAborted();
      if (!(await again(err))) throw err;
    }
    await sleep(pauseAfter(number, pauses), signal);
  }
}

function pauseAfter(attempts: number, { minPauseMs, maxPauseMs }: Pauses): number {
  // Beyond this many doublings every pause is the longest one.
  const doubled = minPauseMs * 2 ** Math.min(attempts - 1, 40);
  return Math.min(maxPauseMs, doubled * (1 + Math.random()));
}
