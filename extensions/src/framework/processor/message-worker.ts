/**
 * What becomes of one message: attempts with exponential back-off and jitter, then done or parked in
 * `<topic>-failed`. What each kind of failure leads to stands in `failures.ts`.
 */
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { LastHandled } from '@zenko-modules/common/status/handled';
import type { QueueProcessor } from '../contract/extension.js';
import { objectKeyOf } from '../contract/object-event.js';
import { type LogEntry, parseEntry } from '../contract/queue-populator-extension.js';
import type { ProcessorMetrics } from '../extension-metrics.js';
import { failedTopicOf, type Queue, type ReceivedMessage } from '../queue/queue.js';
import { isTooLarge, type Origin, standInFor } from '../queue/too-large.js';
import type { AskS3, S3State } from '../s3/ask-s3.js';
import { attempt, type AttemptLimits, AttemptTimeoutError } from './attempt.js';
import {
  type FailureKind,
  failureKind,
  isForS3ToTell,
  judge,
  PARKED_IN_A_ROW,
  type Verdict,
} from './failures.js';
import { parkedMessage } from './parked-message.js';
import { type Pauses, retry } from './retry-loop.js';
import { MessagesUnderWay } from './under-way.js';

const REMIND_EVERY_MS = 30_000;

export interface MessageWorkerOptions {
  readonly extension: string;
  readonly processor: QueueProcessor;
  readonly queue: Queue;
  readonly retry: Pauses & { readonly maxAttempts: number };
  readonly limits: AttemptLimits;
  readonly askS3: AskS3;
  /** Told of each message that is done. */
  readonly handled: LastHandled;
  readonly metrics: ProcessorMetrics;
  readonly log: Logger;
}

/** How a message was done, for metrics and for people. */
interface Done {
  readonly outcome: 'processed' | 'gone' | 'parked';
  readonly what: string;
}

/** What is known of the attempts at one message. */
interface Attempts {
  /** Kind of the last failure, and what follows from it. */
  kind: FailureKind;
  verdict: Verdict;
  made: number;
  /** Those that count towards parking. */
  counted: number;
  /** Successes of other messages at the last attempt. */
  successes: number;
  /** S3 has a say in the last failure. */
  ofS3: boolean;
}

export class MessageWorker {
  readonly underWay = new MessagesUnderWay();
  readonly #options: MessageWorkerOptions;
  /** Counts messages that succeeded: what failed before and after such a success is not S3 being away. */
  #successes = 0;
  /** Keys of messages that were parked for what S3 answered, since the last success. */
  readonly #parkedInARow = new Set<string>();
  #remindAt = 0;

  constructor(options: MessageWorkerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the message is done or parked; rejects only when `signal` was aborted before that. An
   * attempt that is under way then is waited for.
   */
  async work(message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    const { metrics, handled, log } = this.#options;
    metrics.inFlight.inc();
    this.underWay.add(message);
    try {
      const { outcome, what } = await this.#attempts(message, signal);
      metrics.messages.inc({ outcome });
      metrics.delay.observe(Math.max(0, (Date.now() - message.timestamp) / 1000));
      const { reqUids, ...place } = placeOf(message);
      handled.add({ at: new Date(), ...place, what });
      log[outcome === 'processed' ? 'debug' : 'info'](
        { reqUids, key: message.key, what },
        `a message is done: ${outcome}`,
      );
    } finally {
      this.underWay.remove(message);
      metrics.inFlight.dec();
    }
  }

  async #attempts(message: ReceivedMessage, signal: AbortSignal): Promise<Done> {
    const state: Attempts = {
      kind: 'other',
      verdict: 'count',
      made: 0,
      counted: 0,
      successes: this.#successes,
      ofS3: false,
    };
    let said: string | undefined;
    try {
      await retry({
        attempt: async number => {
          state.made = number;
          said = await this.#attempt(message, signal);
        },
        again: err => this.#mayTryAgain(message, err, state),
        pauses: this.#options.retry,
        signal,
      });
      return { outcome: 'processed', what: said ?? 'processed' };
    } catch (err) {
      signal.throwIfAborted();
      if (state.verdict === 'done') return { outcome: 'gone', what: 'nothing: it was deleted meanwhile' };
      await this.#park(message, err, state, signal);
      return { outcome: 'parked', what: `parked after ${state.made} attempts: ${messageOf(err)}` };
    }
  }

  async #attempt(message: ReceivedMessage, signal: AbortSignal): Promise<string | undefined> {
    const { processor, limits, metrics } = this.#options;
    const observe = metrics.seconds.startTimer();
    try {
      const said = await attempt(processor, message, signal, limits);
      this.#successes++;
      this.#parkedInARow.clear();
      this.underWay.s3Works();
      return said;
    } finally {
      observe();
    }
  }

  /** Notes a failed attempt and says whether another one may follow. */
  async #mayTryAgain(message: ReceivedMessage, err: unknown, state: Attempts): Promise<boolean> {
    const { metrics, retry: policy } = this.#options;
    const found = failureKind(err);
    const s3 = await this.#stateOfS3(message, found, state);
    state.successes = this.#successes;
    state.ofS3 = isForS3ToTell(found);
    const { kind, verdict } = judge(found, s3);
    Object.assign(state, { kind, verdict });
    metrics.failures.inc({ kind });
    if (verdict === 'done') return false;
    if (verdict === 'count') state.counted++;
    let again = verdict === 'wait' || (verdict === 'count' && state.counted < policy.maxAttempts);
    const tooMany = !again && state.ofS3 && this.#parkedInARow.size >= PARKED_IN_A_ROW[s3];
    if (tooMany) again = true;
    if (!again && state.ofS3 && kind !== 'denied') this.#parkedInARow.add(orderOf(message));
    const waits = tooMany || verdict === 'wait';
    const reason = this.#troubleBy(err, kind, waits || (state.ofS3 && s3 === 'failing'));
    this.underWay.setTrouble(
      message,
      reason === undefined ? undefined : { reason, ofS3: kind !== 'timeout' },
    );
    this.#tell({ err, kind, key: message.key, attempt: state.made, again }, waits);
    return again;
  }

  /** S3 is asked only when the error leaves it open and nothing else has shown it meanwhile. */
  async #stateOfS3(message: ReceivedMessage, kind: FailureKind, state: Attempts): Promise<S3State> {
    const othersSucceed = this.#successes > state.successes;
    // A message that is taken for done does not come again: there S3 itself must say that it is well.
    const isKnown = othersSucceed && kind !== 'absent';
    if (isKnown || !isForS3ToTell(kind)) return 'well';
    return this.#options.askS3(originOf(message)?.bucket);
  }

  #troubleBy(err: unknown, kind: FailureKind, ofS3: boolean): string | undefined {
    if (kind === 'timeout') return messageOf(err);
    return ofS3 && kind !== 'throttled' ? `S3: ${messageOf(err)}` : undefined;
  }

  /** While S3 is away every message fails all the time: one line now and then says it. */
  #tell(
    about: {
      readonly err: unknown;
      readonly kind: FailureKind;
      readonly key: string;
      readonly attempt: number;
      readonly again: boolean;
    },
    waits: boolean,
  ): void {
    const { log } = this.#options;
    if (about.err instanceof AttemptTimeoutError && !about.err.ended) {
      log.error(about, 'gave up an attempt that did not end when it was told to: it may still be at work');
    } else if (!waits) log.warn(about, 'an attempt failed');
    else if (Date.now() < this.#remindAt) log.debug(about, 'waiting for S3');
    else {
      log.warn(about, 'S3 cannot do the work at the moment: waiting');
      this.#remindAt = Date.now() + REMIND_EVERY_MS;
    }
  }

  /** Parks the message; tries until that has succeeded. */
  async #park(message: ReceivedMessage, err: unknown, state: Attempts, signal: AbortSignal): Promise<void> {
    const { queue, retry: pauses, extension, log } = this.#options;
    const topic = failedTopicOf(message.topic);
    const { kind, made: attempts } = state;
    const parked = parkedMessage(message, { extension, err, kind, attempts });
    await retry({
      attempt: async () => {
        try {
          await queue.publish(topic, [parked]);
        } catch (parkError) {
          // What is said of the failure makes it larger than it was.
          if (!isTooLarge(parkError)) throw parkError;
          const origin = originOf(message);
          await queue.publish(topic, [standInFor(message, { extension, topic: message.topic, origin, err })]);
        }
      },
      again: parkError => {
        log.warn({ err: parkError, topic }, 'cannot park a message: trying again');
        return true;
      },
      pauses,
      signal,
    });
    log.error({ err, kind, key: message.key, attempts, topic }, 'parked a message that keeps failing');
  }
}

/** The object that a message tells of; one that is no entry of the record log has its key alone. */
function placeOf({ key, value }: ReceivedMessage): Pick<LogEntry, 'bucket' | 'key' | 'reqUids'> {
  try {
    const entry = parseEntry(value);
    const place = { bucket: entry.bucket, key: objectKeyOf(entry.key) };
    return entry.reqUids === undefined ? place : { ...place, reqUids: entry.reqUids };
  } catch {
    return { bucket: '', key };
  }
}

/** What stands for the messages that are in one order with this one: they are of one object. */
function orderOf({ key, partition, offset }: ReceivedMessage): string {
  return key === '' ? `${partition} ${offset}` : `key ${key}`;
}

/** What a message tells of, when it is an entry of the record log. */
function originOf({ value }: ReceivedMessage): Origin | undefined {
  try {
    const { bucket, key } = parseEntry(value);
    return { bucket, key };
  } catch {
    return undefined;
  }
}
