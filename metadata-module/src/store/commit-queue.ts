/**
 * Turns concurrent commits into few synced batches: what arrives while a batch is being written forms the
 * next one, or the next two. No timer: a commit that finds the queue empty is written at the end of the event
 * loop's turn, with what the same turn has brought.
 *
 * A batch holds the changes and their log records. When one fails, nobody is told that it succeeded, and
 * what the store holds is read again before the next: a failed batch may have been applied all the same.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Cancellation } from '@zenko-modules/rpc/service';
import type { Database } from './key-space.js';
import type { Change, RecordLog } from '../record-log/record-log.js';
import type { KeyOperation } from '../record-log/record.js';
import { LEVEL_ERRORS } from '../leveldowns/plugin.js';
import { fromLevelError, levelErrorCode } from './level-errors.js';
import type { OpenLevel, TextOperation } from './open-level.js';
import type { Recovery } from './recovery.js';

/** One batch holds at most about this many bytes, unless one commit alone is larger. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const MAX_BATCH_COMMITS = 1000;
/** Fewer commits than this are not divided: a sync for each half would cost more than it brings. */
const UNDIVIDED_COMMITS = 16;
/** About what this thread and the client's take for a commit, in milliseconds. */
const WORK_MS = 0.06;
/** The part that the last batch has in what a batch is taken to last. */
const NEWEST_PART = 1 / 8;
/** More than this in line is answered with SlowDown. */
const MAX_QUEUED_BYTES = 256 * 1024 * 1024;
const MAX_QUEUED_COMMITS = 50_000;

/** Told when a batch of `commits` commits has become durable, after `seconds`. */
export type CommitObserver = (commits: number, seconds: number) => void;

export interface CommitQueueOptions {
  readonly store: OpenLevel;
  readonly recordLog: RecordLog;
  readonly recovery: Recovery;
  readonly log: Logger;
  readonly observers: readonly CommitObserver[];
  /** Milliseconds that pass; `performance.now` but for tests. */
  readonly now?: () => number;
}

interface Pending {
  readonly change: Change;
  /** The change's operations, or ones that are not of any database, with the store's keys. */
  readonly operations: readonly TextOperation[];
  readonly bytes: number;
  readonly signal: Cancellation | undefined;
  readonly resolve: () => void;
  readonly reject: (err: Error) => void;
}

export class CommitQueue {
  readonly #store: OpenLevel;
  readonly #recordLog: RecordLog;
  readonly #recovery: Recovery;
  readonly #log: Logger;
  readonly #observers: readonly CommitObserver[];
  readonly #now: () => number;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #running: Promise<void> | undefined;
  /** About how long a batch lasts. Taken to be slow at first: clients that once come in two groups stay so. */
  #batchMs = 100;
  #closed = false;

  constructor({
    store,
    recordLog,
    recovery,
    log,
    observers,
    now = () => performance.now(),
  }: CommitQueueOptions) {
    this.#store = store;
    this.#recordLog = recordLog;
    this.#recovery = recovery;
    this.#log = log;
    this.#observers = observers;
    this.#now = now;
  }

  /**
   * Resolves when the operations and their log records are on stable storage, in one atomic batch.
   * @param signal a commit that is still in line when it is aborted is dropped.
   * @throws CatalogueError SlowDown when too much is in line, EntityTooLarge when the store refuses the
   * size (nothing was written then), ServiceUnavailable or InternalError when the batch failed: it may
   * or may not have been applied.
   */
  commit(database: Database, operations: readonly KeyOperation[], signal?: Cancellation): Promise<void> {
    const stored = operations.map((operation): TextOperation => {
      const key = database.keyOf(operation.key);
      return operation.type === 'put' ? { type: 'put', key, value: operation.value } : { type: 'del', key };
    });
    return this.#enqueue({ db: database.name, operations, reqUids: signal?.reqUids }, stored, signal);
  }

  /** The same for what belongs to the module itself and is no change of any database: it is not logged. */
  commitUnlogged(operations: readonly TextOperation[]): Promise<void> {
    return this.#enqueue({ db: '', operations: [] }, operations, undefined);
  }

  /** Refuses what comes from now on and resolves when all that is in line has been written or has failed. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  #enqueue(
    change: Change,
    operations: readonly TextOperation[],
    signal: Cancellation | undefined,
  ): Promise<void> {
    if (this.#closed)
      return Promise.reject(new CatalogueError('ServiceUnavailable', 'the module is stopping'));
    const bytes = sizeOf(operations);
    if (this.#pending.length >= MAX_QUEUED_COMMITS || this.#pendingBytes + bytes > MAX_QUEUED_BYTES) {
      return Promise.reject(new CatalogueError('SlowDown', 'too many writes are waiting for the store'));
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ change, operations, bytes, signal, resolve, reject });
      this.#pendingBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        // Enough for a store that is quick need not wait for what else this turn brings.
        if (this.#pending.length < UNDIVIDED_COMMITS || !this.#storeIsQuick()) await endOfTurn();
        await this.#attempt(this.#take());
      }
    } finally {
      // In the same step as the last look at the line: what comes after it starts anew.
      this.#running = undefined;
    }
  }

  async #attempt(batch: readonly Pending[]): Promise<void> {
    try {
      if (!this.#recovery.isCertain) await this.#recovery.certain();
    } catch (err) {
      for (const { reject } of batch) reject(fromLevelError(err));
      return;
    }
    await this.#write(batch);
  }

  /**
   * Clients that wait for the same batch come back all at once: then the store, this thread and they would work in
   * turn. So a store that is quicker than they are with what is in line is given half of it, and each works while
   * the others do. A slower one gets all, to be asked less often.
   */
  #share(): number {
    const { length } = this.#pending;
    const share = this.#storeIsQuick() ? Math.max(Math.ceil(length / 2), UNDIVIDED_COMMITS) : length;
    return Math.min(share, MAX_BATCH_COMMITS);
  }

  #storeIsQuick(): boolean {
    return this.#batchMs < this.#pending.length * WORK_MS;
  }

  #take(): Pending[] {
    const share = this.#share();
    let bytes = 0;
    let count = 0;
    for (const pending of this.#pending) {
      bytes += pending.bytes;
      if (count > 0 && (bytes > MAX_BATCH_BYTES || count >= share)) break;
      count += 1;
    }
    const taken = this.#pending.splice(0, count);
    for (const pending of taken) this.#pendingBytes -= pending.bytes;
    const [dropped, wanted] = [
      taken.filter(pending => pending.signal?.aborted),
      taken.filter(pending => !pending.signal?.aborted),
    ];
    for (const { reject } of dropped)
      reject(new CatalogueError('ServiceUnavailable', 'the call took too long'));
    return wanted;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    if (batch.length === 0) return;
    const started = this.#now();
    let records: readonly TextOperation[];
    try {
      records = this.#recordLog.recordsOf(batch.map(({ change }) => change));
      await this.#store.batch([...batch.flatMap(({ operations }) => operations), ...records]);
    } catch (err) {
      await this.#failed(batch, err);
      return;
    }
    this.#recordLog.committed(records.length);
    const ms = this.#now() - started;
    this.#batchMs += (ms - this.#batchMs) * NEWEST_PART;
    for (const { resolve } of batch) resolve();
    for (const observe of this.#observers) observe(batch.length, ms / 1000);
  }

  async #failed(batch: readonly Pending[], err: unknown): Promise<void> {
    if (levelErrorCode(err) === LEVEL_ERRORS.tooLarge) {
      // Nothing was written. Together they were too large, or one of them alone is: only that one fails.
      if (batch.length > 1) for (const pending of batch) await this.#attempt([pending]);
      else for (const { reject } of batch) reject(fromLevelError(err));
      return;
    }
    this.#recovery.batchFailed(err);
    this.#log.error({ err, commits: batch.length }, 'a batch failed');
    for (const { reject } of batch) reject(fromLevelError(err));
  }
}

/** When all that has arrived by now is in line. */
function endOfTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

function sizeOf(operations: readonly TextOperation[]): number {
  let bytes = 0;
  for (const operation of operations) {
    bytes += operation.key.length + (operation.type === 'put' ? operation.value.length : 0) + 64;
  }
  return bytes;
}
