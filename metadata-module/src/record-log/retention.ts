/** Deletes the oldest records: the log keeps the newest, and all that a registered reader has not read. */
import type { Logger } from '@zenko-modules/common/logger';
import type { CommitQueue } from '../store/commit-queue.js';
import type { TextOperation } from '../store/open-level.js';
import type { LogReaders } from './log-readers.js';
import { recordKey } from './record.js';
import type { RecordLog } from './record-log.js';

/** Records that one batch deletes, so that commits get their turn in between. */
const CHUNK = 1000;

export interface RetentionOptions {
  readonly recordLog: RecordLog;
  readonly readers: LogReaders;
  readonly commits: CommitQueue;
  readonly maxRecords: number;
  readonly log: Logger;
}

export interface Pruned {
  /** How many records were deleted. */
  readonly pruned: number;
  /** First and last record that are kept; `null` when the log is empty. */
  readonly start: number | null;
  readonly end: number | null;
}

export class Retention {
  readonly #options: RetentionOptions;
  /** More records than allowed are kept until so many can go at once. */
  readonly #slack: number;
  #running: Promise<number> | undefined;
  #blockedBy: string | undefined;
  #closed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#slack = Math.min(CHUNK, Math.ceil(options.maxRecords / 10));
  }

  /**
   * Deletes, oldest first, what is beyond the newest RECORD_LOG_MAX_RECORDS, has been read by every
   * registered reader, and has no number above `endSeq`. Durable when it resolves.
   */
  async prune(endSeq = Infinity): Promise<Pruned> {
    const before = this.#running?.catch(() => 0) ?? Promise.resolve(0); // who asked for that one is told
    const running = before
      .then(() => this.#delete(endSeq))
      .finally(() => {
        if (this.#running === running) this.#running = undefined;
      });
    this.#running = running;
    const pruned = await running;
    const { first, last } = this.#options.recordLog;
    return { pruned, start: first > last ? null : first, end: first > last ? null : last };
  }

  /** Starts to prune in the background when enough has gathered. Cheap: called after every batch. */
  check(): void {
    const { recordLog, log } = this.#options;
    if (this.#running || this.#closed || this.#limit(Infinity) - recordLog.first + 1 < this.#slack) return;
    this.prune().catch((err: unknown) => {
      log.warn({ err }, 'the record log could not be pruned yet');
    });
  }

  /** Resolves when nothing is being deleted any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running?.catch(() => undefined); // who asked for it has been told
  }

  async #delete(endSeq: number): Promise<number> {
    const { recordLog, commits } = this.#options;
    let pruned = 0;
    for (;;) {
      const { first } = recordLog;
      const next = Math.min(this.#limit(endSeq) + 1, first + CHUNK);
      if (next <= first || this.#closed) return pruned;
      const deletions = Array.from({ length: next - first }, (_, index): TextOperation => ({
        type: 'del',
        key: recordKey(first + index),
      }));
      // Hidden before they go, so that no read begins among them.
      recordLog.dropBefore(next);
      await commits.commitUnlogged(deletions);
      // Over numbers that are missing in one step, however many.
      recordLog.dropBefore(await recordLog.firstFrom(next));
      pruned += deletions.length;
    }
  }

  /** The last record that may go. The newest never does: a start numbers on from it. */
  #limit(endSeq: number): number {
    const { recordLog, readers, maxRecords } = this.#options;
    const old = recordLog.last - maxRecords;
    const slowest = readers.slowest();
    this.#tellOfBlock(old, slowest);
    return Math.min(old, endSeq, (slowest?.nextSeq ?? Infinity) - 1);
  }

  #tellOfBlock(old: number, slowest: ReturnType<LogReaders['slowest']>): void {
    const { log, maxRecords } = this.#options;
    const blockedBy = slowest && slowest.nextSeq <= old - maxRecords ? slowest.reader : undefined;
    if (blockedBy === this.#blockedBy) return;
    this.#blockedBy = blockedBy;
    if (blockedBy === undefined) log.info('the record log can be pruned again');
    else
      log.warn(
        { reader: blockedBy, nextSeq: slowest?.nextSeq },
        'the record log is twice as long as it should be, as this reader has not read it: let the reader run, or call forgetReader',
      );
  }
}
