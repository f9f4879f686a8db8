import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { blobFolder } from './disk-layout.js';

/**
 * The folders of a volume. Each is made when its first blob comes; a blob in one whose own name is not on
 * stable storage could be lost with it, so every upload waits for that, also one that finds the folder made.
 */
export class BlobFolders {
  readonly #volume: string;
  readonly #durable = new Map<string, Promise<void>>();
  #syncing: Promise<void> = Promise.resolve();
  #nextSync: Promise<void> | undefined;

  private constructor(volume: string) {
    this.#volume = volume;
  }

  static async open(volume: string): Promise<BlobFolders> {
    const folders = new BlobFolders(volume);
    const there = await readdir(volume);
    // A crash may have come between their making and their sync.
    await syncFolder(volume);
    for (const name of there) folders.#durable.set(path.join(volume, name), Promise.resolve());
    return folders;
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
      await mkdir(folder, { recursive: true });
      await (this.#nextSync ??= this.#syncNext());
    } catch (err) {
      this.#durable.delete(folder);
      throw err;
    }
  }

  /** Folders that are made while the volume is being synced share its next sync. */
  async #syncNext(): Promise<void> {
    await this.#syncing.catch(() => undefined);
    this.#nextSync = undefined;
    this.#syncing = syncFolder(this.#volume);
    await this.#syncing;
  }
}
