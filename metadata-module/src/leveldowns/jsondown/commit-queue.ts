/** Batches that wait while one is being written; what has gathered by then is written as one. */
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import type { Operation } from './journal-format.js';

/** A line of the journal is one string, and JSON may take six characters for a byte. */
const MAX_BATCH_BYTES = 64 * 2 ** 20;
/** Batches that may wait. More are refused. */
const MAX_WAITING_BYTES = 256 * 2 ** 20;
/** Batches are joined up to this size. */
const JOINED_BYTES = 4 * 2 ** 20;

interface Waiting {
  readonly operations: readonly Operation[];
  readonly bytes: number;
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (err: unknown) => void;
}

export interface CommitQueueOptions {
  /** Writes some batches as one. All of them fail when it rejects. */
  readonly write: (operations: readonly Operation[], sync: boolean) => Promise<void>;
  /** What else is to be done between two writes. Never rejects. */
  readonly afterWrite: () => Promise<void>;
}

export class CommitQueue {
  readonly #options: CommitQueueOptions;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the operations are written, in the order of the calls.
   * @throws LevelError `tooLarge` or, when too much waits already, `unavailable`; nothing was written then.
   */
  push(operations: readonly Operation[], sync: boolean): Promise<void> {
    const bytes = operations.reduce((sum, operation) => sum + sizeOf(operation), 0);
    return new Promise((resolve, reject) => {
      if (bytes > MAX_BATCH_BYTES) {
        const message = `a batch of ${bytes} bytes is larger than the ${MAX_BATCH_BYTES} that this store takes`;
        reject(new LevelError(LEVEL_ERRORS.tooLarge, message));
      } else if (this.#waitingBytes + bytes > MAX_WAITING_BYTES) {
        const message = `${this.#waitingBytes} bytes of batches wait to be written already`;
        reject(new LevelError(LEVEL_ERRORS.unavailable, message));
      } else {
        this.#waiting.push({ operations, bytes, sync, resolve, reject });
        this.#waitingBytes += bytes;
        this.#running ??= this.#run();
      }
    });
  }

  /** Resolves when nothing waits and nothing is being written. */
  async drained(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // What is pushed in the same turn of the event loop is written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const joined = this.#take();
      try {
        await this.#options.write(
          joined.flatMap(({ operations }) => operations),
          joined.some(({ sync }) => sync),
        );
        for (const { resolve } of joined) resolve();
      } catch (err) {
        for (const { reject } of joined) reject(err);
      }
      await this.#options.afterWrite();
    }
    this.#running = undefined;
  }

  #take(): readonly Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes > JOINED_BYTES) break;
      bytes += waiting.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}

function sizeOf(operation: Operation): number {
  return operation.key.length + (operation.type === 'put' ? operation.value.length : 0);
}
