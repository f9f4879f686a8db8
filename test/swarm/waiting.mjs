/** Waiting with a deadline. */
import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/**
 * Asks until the answer is neither `undefined` nor `false`, and resolves with it. An error counts as "not yet".
 * Rejects after `deadlineMs` with what was waited for and the last answer or error.
 */
export async function until(what, deadlineMs, ask, everyMs = 500) {
  const end = Date.now() + deadlineMs;
  let last;
  for (;;) {
    try {
      last = await ask();
      if (last !== undefined && last !== false) return last;
    } catch (err) {
      last = err;
    }
    if (Date.now() > end) {
      const cause = last instanceof Error ? last : undefined;
      throw new Error(
        `waited ${deadlineMs / 1000} s for ${what}${cause === undefined ? '' : `: ${cause.message}`}`,
        {
          cause,
        },
      );
    }
    await sleep(everyMs);
  }
}

/** Runs `work` and resolves with its result and the seconds that it took. */
export async function timed(work) {
  const start = Date.now();
  const result = await work();
  return { result, seconds: (Date.now() - start) / 1000 };
}
