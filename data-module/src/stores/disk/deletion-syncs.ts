/**
 * Brings deletions to stable storage, all that wait with one sync. That is possible where the journal is written in order: what
 * is entered after a deletion is on stable storage only when the deletion is. Here that is a new file in the folder of uploads.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import { type FileCalls, NEW_FILE } from './file-calls.js';

export class DeletionSyncs {
  readonly #calls: FileCalls;
  readonly #prefix: string;
  #count = 0;
  /** The sync that has not begun. */
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  /** @param prefix of the path of files that nobody else makes, and that a start removes */
  constructor(calls: FileCalls, prefix: string) {
    this.#calls = calls;
    this.#prefix = prefix;
  }

  /** Resolves when the deletion that has ended, of a file in `folder`, is on stable storage. */
  async sync(folder: string): Promise<void> {
    try {
      await (this.#next ??= this.#afterRunning());
    } catch (err) {
      if (err instanceof CatalogueError) throw err;
      // On a full disk there may be no room for a new file.
      await this.#calls.syncFolder(folder);
    }
  }

  async #afterRunning(): Promise<void> {
    // Who waits for that one is told of its failure.
    await this.#running.catch(() => undefined);
    // A deletion that ends from here on may come too late for this one.
    this.#next = undefined;
    this.#running = this.#enter();
    await this.#running;
  }

  async #enter(): Promise<void> {
    const name = `${this.#prefix}${(this.#count += 1)}`;
    const file = await this.#calls.open(name, NEW_FILE);
    try {
      await file.sync();
    } finally {
      file.close();
      await this.#calls.unlink(name);
    }
  }
}
