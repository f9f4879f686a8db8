/**
 * How far each extension has read the record log: `<DATA_DIR>/extensions/populator/offset.<extension>.json`. It is
 * saved in place, after the messages of what was read are on stable storage. One that is new begins where the
 * one is that is furthest behind. `offset.json` is that of populators that had one place for all.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import { readSlotFile, writeSlotFile } from '../files/slot-file.js';

const cursorSchema = z.object({
  nextSeq: z.int().min(1),
  lastRecord: z.string().optional(),
});

export interface Cursor {
  /** Sequence number of the next record. */
  readonly nextSeq: number;
  /** What the record before it looked like, to notice a log that was replaced. */
  readonly lastRecord?: string | undefined;
}

export const LOG_START: Cursor = { nextSeq: 1 };

const SHARED_FILE = 'offset.json';
const OWN_FILE = /^offset\.(.+)\.json$/;

function fileOf(extension: string): string {
  return extension === '' ? SHARED_FILE : `offset.${extension}.json`;
}

export class Cursors {
  readonly #folder: string;
  readonly #cursors: Map<string, Cursor>;
  /** Those that have no file yet. */
  readonly #added: readonly string[];

  private constructor(folder: string, cursors: Map<string, Cursor>, added: readonly string[]) {
    this.#folder = folder;
    this.#cursors = cursors;
    this.#added = added;
  }

  /** Those of `extensions`. @throws StartError when a file is damaged. */
  static async load(folder: string, extensions: readonly string[]): Promise<Cursors> {
    const own = new Map<string, Cursor>();
    for (const name of extensions) {
      const cursor = await read(path.join(folder, fileOf(name)));
      if (cursor) own.set(name, cursor);
    }
    const others = own.size > 0 ? lowestOf(own) : await read(path.join(folder, SHARED_FILE));
    const cursors = extensions.map(name => [name, own.get(name) ?? others ?? LOG_START] as const);
    return new Cursors(
      folder,
      new Map(cursors),
      extensions.filter(name => !own.has(name)),
    );
  }

  get(extension: string): Cursor {
    return this.#cursors.get(extension) ?? LOG_START;
  }

  /** That of the extension that is furthest behind: what it has not read is still needed. */
  get lowest(): Cursor {
    return lowestOf(this.#cursors);
  }

  /** On stable storage when it resolves. */
  async save(extension: string, cursor: Cursor): Promise<void> {
    const saved = { ...cursor, savedAt: new Date().toISOString() };
    await writeSlotFile(path.join(this.#folder, fileOf(extension)), saved);
    this.#cursors.set(extension, cursor);
  }

  /**
   * To be called before the log is read. Those that are new keep their place from now on, however long they are
   * held up. Those of other extensions are forgotten: one that is switched on again begins as a new one.
   */
  async begin(): Promise<void> {
    for (const name of this.#added) await this.save(name, this.get(name));
    for (const file of await readdir(this.#folder)) {
      const name = OWN_FILE.exec(file)?.[1];
      if (name !== undefined && !this.#cursors.has(name)) await rm(path.join(this.#folder, file));
    }
  }
}

function lowestOf(cursors: ReadonlyMap<string, Cursor>): Cursor {
  const [first = LOG_START, ...others] = cursors.values();
  return others.reduce((lowest, cursor) => (cursor.nextSeq < lowest.nextSeq ? cursor : lowest), first);
}

async function read(file: string): Promise<Cursor | undefined> {
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
