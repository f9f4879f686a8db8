/** Tries until it succeeds, with growing pauses, and says so once a minute. */
import { sleep } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5000;
const REMIND_EVERY_MS = 60_000;

/** The pause after failed attempt number `attempt`, of a random length so that those that fail together do not try together. */
export function pauseAfter(attempt: number): number {
  return Math.min(RETRY_MIN_MS * 2 ** (attempt - 1), RETRY_MAX_MS) * (0.5 + Math.random() / 2);
}

export interface Insistence {
  /** Completes "cannot …". */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Told what is wrong, or `undefined` when nothing is any more. */
  readonly onTrouble: (trouble: string | undefined) => void;
  /** Tries once even when `signal` is aborted already. */
  readonly onceAtLeast?: boolean;
}

/** Resolves with what `work` does; `undefined` when `signal` was aborted first. */
export async function insist<T>(
  { what, signal, log, onTrouble, onceAtLeast = false }: Insistence,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const stopped = (): boolean => signal.aborted;
  let remindAt = 0;
  for (let attempt = 1; !stopped() || (onceAtLeast && attempt === 1); attempt++) {
    try {
      const result = await work();
      if (remindAt > 0) log.info(`could ${what} again`);
      onTrouble(undefined);
      return result;
    } catch (err) {
      if (stopped()) return undefined;
      onTrouble(`cannot ${what}: ${messageOf(err)}`);
      if (Date.now() >= remindAt) {
        log.warn({ err }, `cannot ${what}: trying again until it succeeds`);
        remindAt = Date.now() + REMIND_EVERY_MS;
      }
      await sleep(pauseAfter(attempt), signal);
    }
  }
  return undefined;
}
