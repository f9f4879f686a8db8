/** Trying again what failed for a reason that passes, each wait longer than the one before. */
import { DeadlineError, sleep, withDeadline } from '@zenko-modules/common/deadline';
import { isTransient, toLevelError, unavailable } from './errors.js';

const FIRST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 500;

/** The waits between tries. */
export class Backoff {
  #next = FIRST_WAIT_MS;

  /** Resolves after the next wait, or at once when `signal` is aborted. */
  async wait(signal?: AbortSignal): Promise<void> {
    const ms = this.#next;
    this.#next = Math.min(ms * 2, LONGEST_WAIT_MS);
    await sleep(ms, signal);
  }
}

/**
 * Settles as the first try of `work` does that is answered. While none is, another begins beside those before,
 * after `ms`, then after twice that, and so on, until `signal` is aborted. So an answer that never comes costs
 * `ms`, and not the time that a connection needs to be given up; and one that is only slow is still taken.
 */
export function hedged<T>(ms: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const beginNoOther = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', beginNoOther);
    };
    const begin = (patience: number): void => {
      timer = setTimeout(() => begin(patience * 2), patience);
      work().then(resolve, reject).finally(beginNoOther);
    };
    signal.addEventListener('abort', beginNoOther);
    begin(ms);
    if (signal.aborted) beginNoOther();
  });
}

/**
 * Settles as `work` does, tried again while it fails for a passing reason. After `ms` it rejects with
 * LevelError `unavailable`; a try that hangs then is left to its own timeout. Tries may overlap, see `hedged`.
 */
export async function retryFor<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
  const overdue = new AbortController();
  try {
    const answered = (): Promise<T> => hedged(ms / 2, overdue.signal, work);
    return await withDeadline(retryUntilAborted(overdue.signal, answered), ms, what);
  } catch (err) {
    if (err instanceof DeadlineError) throw unavailable(`MongoDB cannot be reached: ${err.message}`, err);
    throw toLevelError(err);
  } finally {
    overdue.abort();
  }
}

/** The same without a deadline; rejects with the last error once `signal` is aborted. */
async function retryUntilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await work();
    } catch (err) {
      if (signal.aborted || !isTransient(err)) throw err;
    }
    await backoff.wait(signal);
  }
}

/** The same, given up once it has failed for `ms`. A try that takes long is not hurried. */
export async function retryUnlessAway<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const backoff = new Backoff();
  let awaySince: number | undefined;
  for (;;) {
    const begun = performance.now();
    try {
      return await work();
    } catch (err) {
      awaySince ??= begun;
      if (!isTransient(err) || performance.now() - awaySince >= ms) throw toLevelError(err);
    }
    await backoff.wait();
  }
}
