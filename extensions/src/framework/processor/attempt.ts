/** One attempt at a message: calls the processor, bounds its time, and tells it when to end. */
import { onAbort } from '@zenko-modules/common/abort';
import type { QueueProcessor } from '../contract/extension.js';
import type { ReceivedMessage } from '../queue/queue.js';

/** An attempt that was told to end has this long to do so before it is given up. */
const END_WITHIN_MS = 5000;

export interface AttemptLimits {
  /** An attempt that takes longer has failed. */
  readonly timeoutMs: number;
  /** After a stop, a rebalance or a lost lease an attempt has this long before it is told to end. */
  readonly finishMs: number;
}

/** An attempt took longer than it may. */
export class AttemptTimeoutError extends Error {
  /** False when it goes on although it was told to end. */
  readonly ended: boolean;

  constructor(timeoutMs: number, ended: boolean, options?: { cause?: unknown }) {
    const goesOn = ended ? '' : ', and it goes on although it was told to end';
    super(`the attempt took longer than ${timeoutMs} ms${goesOn}`, options);
    this.name = 'AttemptTimeoutError';
    this.ended = ended;
  }
}

/** The longest that an attempt can go on after its signal was aborted. */
export function settleMs({ timeoutMs }: AttemptLimits): number {
  return timeoutMs + endWithinMs(timeoutMs);
}

/**
 * Settles as the processor does, with what it says that it did; however `signal` is. Only one that does not end in time is given up.
 * @throws AttemptTimeoutError
 */
export async function attempt(
  processor: QueueProcessor,
  message: ReceivedMessage,
  signal: AbortSignal,
  { timeoutMs, finishMs }: AttemptLimits,
): Promise<string | undefined> {
  const ending = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const after = (ms: number, what: () => void): void => void timers.add(setTimeout(what, ms));
  const timedOut = (): boolean => ending.signal.reason instanceof AttemptTimeoutError;
  const givenUp = new Promise<never>((_resolve, reject) => {
    after(timeoutMs, () => {
      ending.abort(new AttemptTimeoutError(timeoutMs, true));
      after(endWithinMs(timeoutMs), () => reject(new AttemptTimeoutError(timeoutMs, false)));
    });
  });
  const release = onAbort(signal, () => after(finishMs, () => ending.abort(signal.reason)));
  try {
    return await Promise.race([callProcessor(processor, message, ending.signal), givenUp]);
  } catch (err) {
    if (timedOut() && !(err instanceof AttemptTimeoutError)) {
      throw new AttemptTimeoutError(timeoutMs, true, { cause: err });
    }
    throw err;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    release();
  }
}

function endWithinMs(timeoutMs: number): number {
  return Math.min(END_WITHIN_MS, timeoutMs);
}

/** Calls the processor in whichever form it has. Resolves with what it says that it did, if it does. Rejects with an Error, whatever it rejects with. */
export async function callProcessor(
  processor: QueueProcessor,
  message: ReceivedMessage,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (processor.processEntry) {
    try {
      const said = await processor.processEntry(message, signal);
      return typeof said === 'string' ? said : undefined;
    } catch (err) {
      throw toError(err);
    }
  }
  return new Promise((resolve, reject) => {
    processor.processKafkaEntry?.(message, err => {
      if (err === undefined || err === null) resolve(undefined);
      else reject(toError(err));
    });
  });
}

function toError(err: unknown): Error {
  return err instanceof Error ? err : new Error(`the processor rejected with ${JSON.stringify(err)}`);
}
