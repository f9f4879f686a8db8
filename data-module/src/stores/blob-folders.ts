import { mkdir } from 'node:fs/promises';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { blobFolder } from './disk-layout.js';

/**
 * The folders of a volume. Each is made when its first blob comes; a blob in one whose own name is not on
 * stable storage could be lost with it, so every upload waits for that, also one that finds the folder made.
 */
export class BlobFolders {
  readonly #volume: string;
  readonly #durable = new Map<string, Promise<void>>();

  constructor(volume: string) {
    this.#volume = volume;
  }

  /** The folder of `key`, which is there, and durably so, when this resolves. */
  async prepare(key: string): Promise<string> {
    const folder = blobFolder(this.#volume, key);
    let durable = this.#durable.get(folder);
    if (durable === undefined) {
      durable = this.#make(folder);
      this.#durable.set(folder, durable);
    }
    await durable;
    return folder;
  }

  async #make(folder: string): Promise<void> {
    try {
      // Synced also when it was there: a crash may have come between its making and its sync.
      await mkdir(folder, { recursive: true });
      await syncFolder(this.#volume);
    } catch (err) {
      this.#durable.delete(folder);
      throw err;
    }
  }
}
