/** Masters that wait for their repair: each is repaired some time after it was deleted, unless it was before. */
import type { Logger } from '@zenko-modules/common/logger';
import type { Database } from '../store/key-space.js';

/** How long a place holder stays when nobody asks for its key. */
const REPAIR_DELAY_MS = 15_000;
/** Beyond this many, place holders wait for a `get` of their key or for the next start. */
const MAX_WAITING = 100_000;
const CONCURRENCY = 32;

interface Waiting {
  readonly database: Database;
  readonly key: string;
  readonly due: number;
}

export class RepairSchedule {
  readonly #repair: (database: Database, key: string) => Promise<void>;
  readonly #log: Logger;
  readonly #delayMs: number;
  /** In the order in which they are due, as the delay is one for all. */
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(
    repair: (database: Database, key: string) => Promise<void>,
    log: Logger,
    delayMs: number = REPAIR_DELAY_MS,
  ) {
    this.#repair = repair;
    this.#log = log;
    this.#delayMs = delayMs;
  }

  /** Repairs the master of `key` when its time has come; a second call for the same key starts its time again. */
  add(database: Database, key: string): void {
    const id = database.keyOf(key);
    this.#waiting.delete(id);
    if (this.#closed || this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(id, { database, key, due: performance.now() + this.#delayMs });
    this.#arm();
  }

  /** Stops the timer and resolves when no repair is under way. What waits is found again at the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
    await this.#running;
  }

  #arm(): void {
    if (this.#closed || this.#timer !== undefined || this.#running !== undefined) return;
    const next = this.#waiting.values().next();
    if (next.done) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#running = this.#repairDue().finally(() => {
          this.#running = undefined;
          this.#arm();
        });
      },
      Math.max(0, next.value.due - performance.now()),
    );
    this.#timer.unref();
  }

  async #repairDue(): Promise<void> {
    await Promise.all(Array.from({ length: CONCURRENCY }, () => this.#work()));
  }

  async #work(): Promise<void> {
    for (const [id, { database, key, due }] of this.#waiting) {
      if (due > performance.now()) return;
      this.#waiting.delete(id);
      try {
        await this.#repair(database, key);
      } catch (err) {
        this.#log.warn({ err, db: database.name, key }, 'a deleted master could not be repaired yet');
        this.add(database, key);
      }
    }
  }
}
