/**
 * Cursors as files, `<DATA_DIR>/extensions/populator/offset.<extension>.json`, each written in place.
 * `offset.json` is that of populators that had one for all extensions.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { StartError } from '@zenko-modules/common/start-error';
import { readSlotFile, writeSlotFile } from '../files/slot-file.js';
import { type Cursor, type CursorPlace, cursorSchema } from './cursor.js';

const SHARED_FILE = 'offset.json';
const OWN_FILE = /^offset\.(.+)\.json$/;

export class CursorFiles implements CursorPlace {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws StartError when the file is damaged. */
  async read(extension: string): Promise<Cursor | undefined> {
    const file = this.#fileOf(extension);
    try {
      const content = await readSlotFile(file);
      return content === undefined ? undefined : cursorSchema.parse(content);
    } catch (err) {
      throw new StartError(
        `${file} is damaged: write {"nextSeq":<number>} into it, or remove it to read the log from where others are, or its beginning`,
        { cause: err },
      );
    }
  }

  async save(extension: string, cursor: Cursor): Promise<void> {
    await writeSlotFile(this.#fileOf(extension), { ...cursor, savedAt: new Date().toISOString() });
  }

  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    for (const file of await readdir(this.#folder)) {
      const name = OWN_FILE.exec(file)?.[1];
      if (name !== undefined && !names.has(name)) await rm(path.join(this.#folder, file));
    }
  }

  #fileOf(extension: string): string {
    return path.join(this.#folder, extension === '' ? SHARED_FILE : `offset.${extension}.json`);
  }
}
