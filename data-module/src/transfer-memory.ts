/**
 * What all transfers of a process together may hold in memory. Each takes its part before it reads anything, and gives it
 * back at its end. When all is taken the next ones wait, in their order, and are refused after a while.
 */
import { CatalogueError } from '@zenko-modules/common/errors';

/** How long a transfer waits before it is refused. */
const WAIT_MS = 30_000;

interface Waiting {
  readonly bytes: number;
  readonly begin: () => void;
}

export class TransferMemory {
  readonly #total: number;
  readonly #waitMs: number;
  readonly #waiting = new Set<Waiting>();
  #free: number;

  /** @param totalBytes one that needs more than this gets it when no other is under way */
  constructor(totalBytes: number, waitMs = WAIT_MS) {
    this.#total = totalBytes;
    this.#free = totalBytes;
    this.#waitMs = waitMs;
  }

  /** Takes the bytes if they are free and nobody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#fits(bytes)) return false;
    this.#free -= bytes;
    return true;
  }

  /** Resolves when the bytes are taken. `SlowDown` when that takes too long. */
  take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(new CatalogueError('SlowDown', 'too many transfers at once: DATA_MEMORY_BYTES is used up'));
        this.#beginNext();
      }, this.#waitMs);
      const waiting: Waiting = {
        bytes,
        begin: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiting.add(waiting);
    });
  }

  give(bytes: number): void {
    this.#free += bytes;
    if (this.#waiting.size > 0) this.#beginNext();
  }

  #beginNext(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#free -= waiting.bytes;
      waiting.begin();
    }
  }

  #fits(bytes: number): boolean {
    return bytes <= this.#free || this.#free === this.#total;
  }
}
