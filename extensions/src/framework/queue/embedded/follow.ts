/** Waiting for a folder to change: at once where the system tells, after a short pause where it does not. */
import { type FSWatcher, watch } from 'node:fs';
import type { Logger } from '@zenko-modules/common/logger';

const POLL_MS = 500;

export class FolderFollower {
  readonly #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(folder: string, log: Logger) {
    try {
      this.#watcher = watch(folder, { persistent: false }, () => this.#notice());
      this.#watcher.on('error', err => log.warn({ err, folder }, 'cannot watch this folder: polling it'));
    } catch (err) {
      // Out of watches, or a file system without them.
      log.warn({ err, folder }, 'cannot watch this folder: polling it');
    }
  }

  /** Resolves when something changed since the last call, when the poll is due, or when `wake` is called. */
  async changed(): Promise<void> {
    if (!this.#changed) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(() => this.#wake?.(), POLL_MS);
        this.#wake = () => {
          clearTimeout(timer);
          this.#wake = undefined;
          resolve();
        };
      });
    }
    this.#changed = false;
  }

  wake(): void {
    this.#notice();
  }

  close(): void {
    this.#watcher?.close();
    this.#notice();
  }

  #notice(): void {
    this.#changed = true;
    this.#wake?.();
  }
}
