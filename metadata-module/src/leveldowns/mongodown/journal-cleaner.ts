/**
 * Removes entries of the journal that are applied, many at a time. Their removal is not urgent, and can be
 * done twice.
 */
import type { Logger } from '@zenko-modules/common/logger';
import type { Journal } from './journal.js';

/** Numbers that make a removal worth a command at once. */
const AT_ONCE = 64;
const INTERVAL_MS = 1000;

export interface CleanerStart {
  /** Numbers before the first of this writer. */
  readonly inherited: readonly number[];
  /** The first number of this writer. */
  readonly next: number;
  /** Every entry up to this number is applied. */
  readonly applied: number;
}

export class JournalCleaner {
  readonly #journal: Journal;
  readonly #log: Logger;
  #inherited: readonly number[];
  /** The first number of this writer that is not removed. */
  #from: number;
  #applied: number;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(journal: Journal, { inherited, next, applied }: CleanerStart, log: Logger) {
    this.#journal = journal;
    this.#inherited = inherited;
    this.#from = next;
    this.#applied = applied;
    this.#log = log;
    if (inherited.length > 0) this.applied(applied);
  }

  /** Every entry up to `number` is applied. */
  applied(number: number): void {
    this.#applied = number;
    if (number - this.#from >= AT_ONCE) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), INTERVAL_MS).unref();
  }

  /** Removes what can be removed. Never rejects. */
  async flush(): Promise<void> {
    this.#start();
    await this.#running;
    clearTimeout(this.#timer);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const applied = this.#applied;
    // What stands between the last inherited entry and the first own one counts for nothing.
    const removable = (number: number): boolean => number <= applied || applied >= this.#from;
    try {
      await this.#journal.remove(this.#inherited.filter(removable));
      this.#inherited = this.#inherited.filter(number => !removable(number));
      if (applied < this.#from) return;
      await this.#journal.removeRange(this.#from, applied);
      this.#from = applied + 1;
    } catch (err) {
      this.#log.warn({ err }, 'applied entries of the journal are removed later');
    }
  }
}
