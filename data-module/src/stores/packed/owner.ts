/** Which process writes to the store: the one that opened it last. */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { CatalogueError } from '@zenko-modules/common/errors';
import { syncFolder } from '@zenko-modules/common/sync-folder';

export class Owner {
  readonly #file: string;
  readonly #id = randomUUID();

  private constructor(folder: string) {
    this.#file = path.join(folder, 'owner');
  }

  /** Takes the folder over: whoever had it before writes no more. */
  static async take(folder: string): Promise<Owner> {
    const owner = new Owner(folder);
    const temporary = `${owner.#file}.tmp`;
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(`${owner.#id}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, owner.#file);
    await syncFolder(folder);
    return owner;
  }

  /** @throws CatalogueError ServiceUnavailable when another process has taken the folder over. */
  async check(): Promise<void> {
    if ((await readFile(this.#file, 'utf8')).trim() === this.#id) return;
    throw new CatalogueError('ServiceUnavailable', 'another process has opened the store since');
  }
}
