/** Keeps room on the disk for deletions and compaction, which need some before they give any back. */
import { CatalogueError } from '@zenko-modules/common/errors';
import type { DiskUsage } from '../../data-store.js';

export class DiskRoom {
  readonly #usage: () => Promise<DiskUsage>;
  readonly #reserveBytes: number;
  /** What was available when it was asked last, less what has been put since. */
  #available = 0;
  #asking: Promise<void> | undefined;

  constructor(usage: () => Promise<DiskUsage>, reserveBytes: number) {
    this.#usage = usage;
    this.#reserveBytes = reserveBytes;
  }

  /**
   * Takes room for a blob of `size` bytes. The disk is asked only when it may be getting full.
   * @throws CatalogueError ServiceUnavailable when less than the reserve would be left.
   */
  async take(size: number): Promise<void> {
    await this.check(size);
    this.#available -= size;
  }

  /** Whether there is room. @throws like `take`. */
  async check(size: number): Promise<void> {
    if (this.#available - size < 2 * this.#reserveBytes) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
    if (this.#available - size < this.#reserveBytes) {
      const reserve = `${this.#reserveBytes} bytes are kept for deletions`;
      throw new CatalogueError(
        'ServiceUnavailable',
        `the disk is full (${this.#available} bytes left, ${reserve})`,
      );
    }
  }

  async #ask(): Promise<void> {
    this.#available = (await this.#usage()).available;
  }
}
