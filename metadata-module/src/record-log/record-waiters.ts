/** Readers that wait for the log to grow, so that they need not ask again and again. */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { RecordLog } from './record-log.js';

/** Over all clients together. One more is told to ask again later. */
const MAX_WAITERS = 256;

export interface RecordWait {
  /** The record that is waited for. */
  readonly startSeq: number;
  readonly timeoutMs: number;
  /** Ends the wait: the reader has gone, or the module stops. */
  readonly signal: AbortSignal;
}

interface Waiter {
  readonly startSeq: number;
  readonly wake: () => void;
}

export class RecordWaiters {
  readonly #recordLog: Pick<RecordLog, 'last'>;
  readonly #waiters = new Set<Waiter>();

  constructor(recordLog: Pick<RecordLog, 'last'>) {
    this.#recordLog = recordLog;
  }

  /** How many wait now. */
  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Resolves when the log has record `startSeq` or a later one, when `timeoutMs` are over, or when `signal` is aborted.
   * @throws CatalogueError SlowDown when too many wait already.
   */
  async wait({ startSeq, timeoutMs, signal }: RecordWait): Promise<void> {
    if (this.#recordLog.last >= startSeq || timeoutMs === 0 || signal.aborted) return;
    if (this.#waiters.size >= MAX_WAITERS) {
      throw new CatalogueError('SlowDown', `${MAX_WAITERS} readers wait for records already`);
    }
    await new Promise<void>(resolve => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#waiters.delete(waiter);
        resolve();
      };
      const waiter: Waiter = { startSeq, wake };
      const timer = setTimeout(wake, timeoutMs);
      signal.addEventListener('abort', wake);
      this.#waiters.add(waiter);
    });
  }

  /** Wakes those whose record is there now. Cheap: called after every batch. */
  check(): void {
    for (const { startSeq, wake } of this.#waiters) if (this.#recordLog.last >= startSeq) wake();
  }
}
