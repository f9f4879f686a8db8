/**
 * Removes what is left of blobs in a backend: of uploads that failed, and of deletions that came half-way. What cannot be
 * removed now, because the backend is away, is tried again until it can.
 */
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';

/** What waits beyond this is forgotten, the oldest first. */
const MAX_WAITING = 10_000;
const RETRY_MS = [250, 1000, 5000, 30_000] as const;

/** How long closing waits for what is being removed. */
const CLOSE_MS = 2000;

export interface LeftoversOptions<T> {
  /** Removes all that there may be of it. What is gone already is no error. */
  readonly remove: (left: T) => Promise<void>;
  /** Called when nothing is left. Never rejects. */
  readonly onRemoved?: (left: T) => Promise<void>;
  /** How long after a connection broke something that was sent on it may still arrive. */
  readonly lateMs: number;
  /** Its name in the log. */
  readonly nameOf: (left: T) => string;
  readonly log: Logger;
}

interface Job<T> {
  readonly left: T;
  /** How often it is still to be done; and how often that has failed. */
  passes: number;
  tries: number;
}

export class Leftovers<T> {
  readonly #options: LeftoversOptions<T>;
  readonly #waiting = new Set<Job<T>>();
  readonly #stop = new AbortController();
  readonly #removing = new Set<Promise<void>>();

  constructor(options: LeftoversOptions<T>) {
    this.#options = options;
  }

  /**
   * Resolves when it is removed, or as soon as that has failed once and will be tried again later. Never rejects.
   * @param passes 2 when some of it may arrive after it was removed, on a connection that broke
   */
  remove(left: T, passes: 1 | 2): Promise<void> {
    return this.#keep(this.#attempt({ left, passes, tries: 0 }));
  }

  /** Waits a moment for what is being removed. Resolves with the number of those that are left. */
  async close(): Promise<number> {
    this.#stop.abort();
    await withDeadline(Promise.all(this.#removing), CLOSE_MS, 'removing what is left of blobs').catch(
      (err: unknown) => this.#options.log.warn({ err }, 'closing does not wait for what is left of blobs'),
    );
    return this.#waiting.size;
  }

  async #attempt(job: Job<T>): Promise<void> {
    const { remove, onRemoved, lateMs, nameOf, log } = this.#options;
    try {
      await remove(job.left);
      job.passes -= 1;
      if (job.passes > 0) this.#later(job, lateMs);
      else {
        this.#waiting.delete(job);
        await onRemoved?.(job.left);
      }
    } catch (err) {
      const level = job.tries === 0 ? 'warn' : 'debug';
      log[level](
        { err, blob: nameOf(job.left) },
        'cannot remove what is left of a blob; it will be tried again',
      );
      this.#later(job, RETRY_MS[Math.min(job.tries, RETRY_MS.length - 1)] ?? 0);
      job.tries += 1;
    }
  }

  #later(job: Job<T>, ms: number): void {
    this.#waiting.add(job);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#waiting.delete(oldest);
    void this.#keep(
      sleep(ms, this.#stop.signal).then(() => {
        if (!this.#stop.signal.aborted && this.#waiting.has(job)) void this.#keep(this.#attempt(job));
      }),
    );
  }

  #keep(work: Promise<void>): Promise<void> {
    const kept = work.finally(() => this.#removing.delete(kept));
    this.#removing.add(kept);
    return kept;
  }
}
