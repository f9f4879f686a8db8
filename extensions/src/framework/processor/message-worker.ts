/**
 * What becomes of one message: attempts with exponential back-off and jitter, then done or parked in
 * `<topic>-failed`. What each kind of failure leads to stands in `failures.ts`.
 */
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import pRetry from 'p-retry';
import type { QueueProcessor } from '../contract/extension.js';
import type { ProcessorMetrics } from '../extension-metrics.js';
import { failedTopicOf, type Message, type Queue, type ReceivedMessage } from '../queue/queue.js';
import { type FailureKind, failureKind, isWaitedFor } from './failures.js';

const MAX_ERROR_TEXT = 2000;
const REMIND_EVERY_MS = 30_000;

export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
}

export interface MessageWorkerOptions {
  readonly extension: string;
  readonly processor: QueueProcessor;
  readonly queue: Queue;
  readonly retry: RetryPolicy;
  /** After a stop was asked for, an attempt that is under way has this long to end before it is aborted. */
  readonly finishMs: number;
  readonly metrics: ProcessorMetrics;
  readonly log: Logger;
}

/** What is known of the attempts at one message. */
interface Attempts {
  /** Kind of the last failure. */
  kind: FailureKind;
  made: number;
  /** Those that count towards parking. */
  counted: number;
  /** Successes of other messages at the last attempt. */
  successes: number;
}

export class MessageWorker {
  readonly #options: MessageWorkerOptions;
  #trouble: string | undefined;
  /** Counts messages that succeeded: what failed before and after such a success is not S3 being away. */
  #successes = 0;
  #remindAt = 0;

  constructor(options: MessageWorkerOptions) {
    this.#options = options;
  }

  /** Why no message gets done at the moment; `undefined` when all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Resolves when the message is done or parked; rejects only when `signal` was aborted before that. */
  async work(message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    const { metrics, log } = this.#options;
    metrics.inFlight.inc();
    try {
      const outcome = await this.#attempts(message, signal);
      metrics.messages.inc({ outcome });
      metrics.delay.observe(Math.max(0, (Date.now() - message.timestamp) / 1000));
      if (outcome !== 'processed') log.info({ key: message.key }, `a message is done: ${outcome}`);
    } finally {
      metrics.inFlight.dec();
    }
  }

  async #attempts(message: ReceivedMessage, signal: AbortSignal): Promise<'processed' | 'gone' | 'parked'> {
    const { retry } = this.#options;
    const failure: Attempts = { kind: 'other', made: 0, counted: 0, successes: this.#successes };
    try {
      await pRetry(
        async () => {
          failure.made++;
          await this.#attempt(message, signal);
        },
        {
          ...untilStopped(retry),
          signal,
          onFailedAttempt: err => {
            // Thrown from here it is final, and what pRetry rejects with.
            if (signal.aborted || !this.#mayTryAgain(message, err, failure)) throw err;
          },
        },
      );
      return 'processed';
    } catch (err) {
      signal.throwIfAborted();
      if (failure.kind === 'gone') return 'gone';
      await this.#park(message, err, failure, signal);
      return 'parked';
    }
  }

  async #attempt(message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    const { processor, finishMs, metrics } = this.#options;
    const ending = new AbortController();
    const onStop = (): void => {
      timer = setTimeout(() => ending.abort(), finishMs);
    };
    let timer: NodeJS.Timeout | undefined;
    signal.addEventListener('abort', onStop, { once: true });
    const observe = metrics.seconds.startTimer();
    try {
      await runProcessor(processor, message, ending.signal);
      this.#successes++;
      this.#trouble = undefined;
    } catch (err) {
      // p-retry takes a TypeError for a mistake in the program and does not try again; so be it for others.
      throw err instanceof Error ? err : new Error(`the processor rejected with ${JSON.stringify(err)}`);
    } finally {
      observe();
      clearTimeout(timer);
      signal.removeEventListener('abort', onStop);
    }
  }

  /** Notes a failed attempt and says whether another one may follow. */
  #mayTryAgain(message: ReceivedMessage, err: Error, state: Attempts): boolean {
    const { metrics, retry } = this.#options;
    const kind = failureKind(err);
    state.kind = kind;
    metrics.failures.inc({ kind });
    if (kind === 'gone') return false;
    if (kind === 'unavailable' || kind === 'credentials') this.#trouble = `S3: ${messageOf(err)}`;
    const othersSucceed = this.#successes > state.successes;
    state.successes = this.#successes;
    if (kind === 'other' || (kind === 'unavailable' && othersSucceed)) state.counted++;
    const again = kind !== 'permanent' && kind !== 'denied' && state.counted < retry.maxAttempts;
    this.#tell({ err, kind, key: message.key, attempt: state.made, again });
    return again;
  }

  /** While S3 is away every message fails all the time: one line now and then says it. */
  #tell(about: {
    readonly err: Error;
    readonly kind: FailureKind;
    readonly key: string;
    readonly attempt: number;
    readonly again: boolean;
  }): void {
    const { log } = this.#options;
    const waits = about.again && isWaitedFor(about.kind);
    if (!waits) log.warn(about, 'an attempt failed');
    else if (Date.now() < this.#remindAt) log.debug(about, 'waiting for S3');
    else {
      log.warn(about, 'S3 cannot do the work at the moment: waiting');
      this.#remindAt = Date.now() + REMIND_EVERY_MS;
    }
  }

  /** Parks the message; tries until that has succeeded. */
  async #park(message: ReceivedMessage, err: unknown, failure: Attempts, signal: AbortSignal): Promise<void> {
    const { queue, retry, extension, log } = this.#options;
    const topic = failedTopicOf(message.topic);
    const parked: Message = {
      key: message.key,
      value: message.value,
      headers: {
        ...message.headers,
        extension,
        'error-kind': failure.kind,
        'error-name': err instanceof Error ? err.name : 'Error',
        'error-message': messageOf(err).slice(0, MAX_ERROR_TEXT),
        attempts: String(failure.made),
        'original-topic': message.topic,
        'original-offset': `${message.partition}/${message.offset}`,
        'published-at': new Date(message.timestamp).toISOString(),
        'failed-at': new Date().toISOString(),
      },
    };
    await pRetry(() => queue.publish(topic, [parked]), {
      ...untilStopped(retry),
      signal,
      onFailedAttempt: parkError =>
        log.warn({ err: parkError, topic }, 'cannot park a message: trying again'),
    });
    log.error(
      { err, kind: failure.kind, key: message.key, attempts: failure.made, topic },
      'parked a message that keeps failing',
    );
  }
}

/** Pauses that double up to the longest one, with jitter, for ever. */
function untilStopped({ minPauseMs, maxPauseMs }: RetryPolicy) {
  const retries = Math.ceil(Math.log2(maxPauseMs / minPauseMs)) + 1;
  return { forever: true, retries, minTimeout: minPauseMs, maxTimeout: maxPauseMs, randomize: true };
}

/** Calls the processor in whichever form it has. */
function runProcessor(
  processor: QueueProcessor,
  message: ReceivedMessage,
  signal: AbortSignal,
): Promise<void> {
  if (processor.processEntry) return processor.processEntry(message, signal);
  return new Promise((resolve, reject) => {
    processor.processKafkaEntry?.(message, err => {
      if (err === undefined || err === null) resolve();
      else reject(err instanceof Error ? err : new Error(`the processor reported ${JSON.stringify(err)}`));
    });
  });
}
