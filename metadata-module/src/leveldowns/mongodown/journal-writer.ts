/** Writes batches to the journal, one at a time, and commits them in that order: README.md, "A write". */
import type { Logger } from '@zenko-modules/common/logger';
import { SLOTS } from './documents.js';
import { fenced, isFenced, isTransient, toLevelError, unavailable } from './errors.js';
import {
  decodeOperations,
  encodeOperations,
  type JournalEntry,
  type JournalOperation,
} from './journal-entry.js';
import { PART_BYTES, type Journal, type Part } from './journal.js';
import { Backoff, hedged } from './retry.js';

/** What may wait for its turn; more is refused. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024;

export interface JournalWriterOptions {
  readonly journal: Journal;
  /** The number of the first batch. */
  readonly next: number;
  /** Every batch up to this number is in the data, and its slot free. */
  readonly applied: number;
  readonly timeoutMs: number;
  readonly log: Logger;
  /** True while what is committed but not applied leaves room for more. Call `resume` when it turns true. */
  readonly hasRoom: () => boolean;
  /** A batch is committed. Must make it visible before it returns. */
  readonly onCommit: (entry: JournalEntry) => void;
  /** Nothing more can be written: another process owns the store, or a failure that does not pass. */
  readonly onFailure: (err: Error) => void;
}

interface Batch {
  readonly payload: Buffer;
  readonly resolve: () => void;
  readonly reject: (err: Error) => void;
  timer?: NodeJS.Timeout;
  /** Why its caller was told that it failed. */
  failure?: Error;
}

export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #abort = new AbortController();
  /** The first of them is being written. */
  #batches: Batch[] = [];
  #bytes = 0;
  #next: number;
  #applied: number;
  #running: Promise<void> | undefined;
  #failure: Error | undefined;
  #onRoom: (() => void) | undefined;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
    this.#next = options.next;
    this.#applied = options.applied;
  }

  /**
   * Resolves when the batch is on a majority's disks and visible. Rejects with LevelError `unavailable` when
   * that took too long, `tooLarge` before anything was written, `fenced` when another process owns the store.
   */
  async write(operations: readonly JournalOperation[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const payload = encodeOperations(operations);
    if (this.#bytes + payload.length > MAX_WAITING_BYTES) {
      throw unavailable(`more than ${MAX_WAITING_BYTES} bytes wait to be written`);
    }
    await new Promise<void>((resolve, reject) => {
      const batch: Batch = { payload, resolve, reject };
      batch.timer = setTimeout(() => this.#giveUp(batch), this.#options.timeoutMs);
      this.#batches.push(batch);
      this.#bytes += payload.length;
      this.#running ??= this.#run();
    });
  }

  /** Goes on after there was no room. Every batch up to `applied` is in the data. */
  resume(applied = this.#applied): void {
    this.#applied = applied;
    this.#onRoom?.();
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Stops at once; what is under way fails with `err`. */
  stop(err: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = err;
    this.#abort.abort();
    for (const batch of this.#batches) fail(batch, err);
    this.#onRoom?.();
  }

  async #run(): Promise<void> {
    try {
      for (let batch = this.#batches[0]; batch !== undefined; batch = this.#batches[0]) {
        const parts = Math.max(1, Math.ceil(batch.payload.length / PART_BYTES));
        await this.#room(batch, parts);
        if (batch.failure === undefined) await this.#commit(batch, parts);
        if (this.#failure !== undefined) break;
        this.#batches.shift();
        this.#bytes -= batch.payload.length;
      }
    } catch (err) {
      if (this.#failure === undefined) {
        const failure = toLevelError(err);
        this.stop(failure);
        this.#options.onFailure(failure);
      }
    } finally {
      this.#running = undefined;
    }
  }

  /** Resolves when the batch may be written, or has failed. */
  async #room(batch: Batch, parts: number): Promise<void> {
    const isFull = (): boolean => !this.#options.hasRoom() || this.#next + parts - 1 - SLOTS > this.#applied;
    while (batch.failure === undefined && isFull()) {
      await new Promise<void>(resolve => (this.#onRoom = resolve));
      this.#onRoom = undefined;
    }
  }

  /** Resolves when it is certain what became of the batch. */
  async #commit(batch: Batch, parts: number): Promise<void> {
    const first = this.#next;
    for (let index = 0; index < parts; index += 1) {
      const at = index * PART_BYTES;
      const part = { first, parts, ops: batch.payload.subarray(at, at + PART_BYTES) };
      const isStored = await this.#store(batch, part);
      const number = this.#next++;
      if (!isStored) {
        this.#options.onCommit({ number, operations: [], bytes: 0 });
        return;
      }
      batch.timer?.refresh();
    }
    const number = first + parts - 1;
    const operations = decodeOperations(batch.payload, `journal entry ${number}`);
    this.#options.onCommit({ number, operations, bytes: batch.payload.length });
    clearTimeout(batch.timer);
    batch.resolve();
  }

  /**
   * Runs until it is certain what stands under the next number: the part (true), or, if the batch has failed
   * meanwhile, nothing, for ever (false).
   */
  async #store(batch: Batch, part: Part): Promise<boolean> {
    const { journal, timeoutMs, log } = this.#options;
    const number = this.#next;
    const backoff = new Backoff();
    for (;;) {
      this.#abort.signal.throwIfAborted();
      try {
        const written = await hedged(timeoutMs / 2, this.#abort.signal, async () => {
          const isGivenUp = batch.failure !== undefined;
          const isOurs = isGivenUp ? await journal.giveUp(number) : await journal.write(number, part);
          if (!isOurs) throw fenced(`the journal is another owner's from number ${number} on`);
          return !isGivenUp;
        });
        // Its caller was told that it failed while the answer was on its way: the number is given up.
        if (!written || batch.failure === undefined) return written;
      } catch (err) {
        if (isFenced(err)) throw err;
        log.warn({ err, number }, 'a write to the journal is tried again');
        // Nothing says that this passes: the caller need not wait for its time to be up.
        if (!isTransient(err)) fail(batch, toLevelError(err));
        await backoff.wait(this.#abort.signal);
      }
    }
  }

  /** A batch's time is up. */
  #giveUp(batch: Batch): void {
    const { timeoutMs } = this.#options;
    fail(batch, unavailable(`MongoDB did not take a batch within ${timeoutMs} ms; it will not happen`));
    this.#onRoom?.();
  }
}

function fail(batch: Batch, err: Error): void {
  if (batch.failure !== undefined) return;
  batch.failure = err;
  clearTimeout(batch.timer);
  batch.reject(err);
}
