/**
 * What becomes of the store after a batch that failed: it is opened again where it must be, and what it holds
 * is read again before anything that depends on it.
 *
 * It is tried when somebody needs the store, and once the store is closed again and again without being asked.
 * What cannot heal ends the process, so that its supervisor can act.
 */
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { LEVEL_ERRORS } from '../leveldowns/plugin.js';
import type { RecordLog } from '../record-log/record-log.js';
import { levelErrorCode, rootOf } from './level-errors.js';
import type { OpenLevel } from './open-level.js';

/** After a failed attempt, this long every call is refused without another one. */
const PAUSE_MS = 500;
/** A store that cannot be opened again for so long is lost to this process. */
export const GIVE_UP_MS = 60_000;

export interface RecoveryOptions {
  readonly store: OpenLevel;
  readonly recordLog: RecordLog;
  readonly log: Logger;
  /** Told once when the store does not come back: the process must end. */
  readonly onLost?: ((err: Error) => void) | undefined;
  readonly giveUpMs?: number | undefined;
}

/** The store cannot be used by this process any more. */
export class StoreLostError extends Error {
  constructor(reason: string, options?: { cause?: unknown }) {
    super(`the store is lost to this process: ${reason}`, options);
    this.name = 'StoreLostError';
  }
}

export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #stopping = new AbortController();
  #uncertain = false;
  /** The store is closed and opened again to recover: LevelDB takes no write after one that failed. */
  #mustReopen = false;
  #attempt: Promise<void> | undefined;
  #retryAt = 0;
  #failingSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lost = false;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** A batch failed with `err`: it may or may not have been applied. */
  batchFailed(err: unknown): void {
    const code = levelErrorCode(err);
    this.#uncertain = true;
    this.#mustReopen ||= code === undefined || code === LEVEL_ERRORS.corrupt;
  }

  /** Nobody need wait for `certain`, nor for `readable`. */
  get isCertain(): boolean {
    return !this.#uncertain && this.#options.store.isOpen;
  }

  /**
   * Resolves when it is certain what the store holds. Await it before reading what a commit depends on.
   * @throws CatalogueError ServiceUnavailable while the store cannot be read.
   */
  async certain(): Promise<void> {
    if (this.isCertain) return;
    if (this.#stopping.signal.aborted) throw stopping();
    if (performance.now() < this.#retryAt) {
      throw new CatalogueError('ServiceUnavailable', 'the store failed a write and has not recovered yet');
    }
    this.#attempt ??= this.#unlessStopping(this.#try()).finally(() => {
      this.#attempt = undefined;
    });
    await this.#attempt;
  }

  /** Resolves when the store can be read: reads wait for one that is being opened again, not for the outcome of a write. */
  async readable(): Promise<void> {
    if (!this.#options.store.isOpen) await this.certain();
  }

  /** From now on nothing is tried any more; who waits is refused at once. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#stopping.abort();
  }

  async #try(): Promise<void> {
    const { store, recordLog, log } = this.#options;
    try {
      if (!store.isOpen || this.#mustReopen) await withDeadline(store.reopen(), this.#left(), 'recovering');
      await recordLog.recover();
      this.#uncertain = false;
      this.#mustReopen = false;
      this.#failingSince = undefined;
      log.info({ lastRecord: recordLog.last }, 'the store has recovered: it is certain what it holds');
    } catch (err) {
      this.#retryAt = performance.now() + PAUSE_MS;
      log.error({ err }, 'the store has not recovered');
      this.#goOn(err);
      throw new CatalogueError('ServiceUnavailable', `the store has not recovered: ${messageOf(err)}`, {
        cause: err,
      });
    }
  }

  /** A backend that cannot be reached is waited for: only a store that must be opened again can be lost. */
  #goOn(err: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const cause = rootOf(err);
    if (levelErrorCode(cause) === LEVEL_ERRORS.corrupt) this.#lose(cause);
    else if (!this.#mustReopen && this.#options.store.isOpen) this.#failingSince = undefined;
    else if (this.#left() <= PAUSE_MS) this.#lose(cause);
    else {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.certain().catch(() => undefined); // it has been logged, and is tried again
      }, PAUSE_MS + 1);
    }
  }

  /** Milliseconds until the store is given up. */
  #left(): number {
    this.#failingSince ??= performance.now();
    return this.#failingSince + (this.#options.giveUpMs ?? GIVE_UP_MS) - performance.now();
  }

  #lose(cause: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#options.onLost?.(new StoreLostError(messageOf(cause), { cause }));
  }

  #unlessStopping(work: Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(stopping());
      signal.addEventListener('abort', onAbort, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    });
  }
}

function stopping(): CatalogueError {
  return new CatalogueError('ServiceUnavailable', 'the module is stopping');
}
