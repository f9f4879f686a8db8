/** Remembers, outside the volumes, which folders have been volumes: an empty one in their place is refused. */
import { createHash } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

export class UsedVolumes {
  readonly #folder: string;

  /** @param folder holds a file for each volume, named by the hash of its path */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The id of the volume that was last opened at this path, `undefined` when none was. */
  async idAt(volume: string): Promise<string | undefined> {
    try {
      const [, id] = (await readFile(this.#file(volume), 'utf8')).split('\n');
      return id;
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw err;
    }
  }

  async remember(volume: string, id: string): Promise<void> {
    // Deletions on a full disk need a start that writes nothing.
    if ((await this.idAt(volume)) === id.trim()) return;
    const temporary = `${this.#file(volume)}.new`;
    await writeFile(temporary, `${volume}\n${id.trim()}\n`, { flush: true });
    await rename(temporary, this.#file(volume));
  }

  #file(volume: string): string {
    return path.join(this.#folder, createHash('sha256').update(volume).digest('hex').slice(0, 32));
  }
}
