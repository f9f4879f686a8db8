/** Which tables a LevelDB consists of, by its manifest. Others in its folder are rests, which it removes when it opens. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writesIn } from './leveldb-log.js';
import { Varints } from './varints.js';

/** What an edit of the manifest begins its fields with. */
const FIELD = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const;

/**
 * The tables by number, with their sizes in bytes. `undefined` when there is no database, or its manifest cannot be
 * read: LevelDB says so itself when it opens.
 */
export async function liveTables(folder: string): Promise<ReadonlyMap<number, number> | undefined> {
  try {
    const name = (await readFile(path.join(folder, 'CURRENT'), 'utf8')).trim();
    const tables = new Map<number, number>();
    for (const edit of writesIn(await readFile(path.join(folder, path.basename(name))))) apply(tables, edit);
    return tables;
  } catch (err) {
    if (err instanceof RangeError || (err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}

function apply(tables: Map<number, number>, edit: Buffer): void {
  const fields = new Varints(edit);
  while (!fields.isAtEnd) {
    switch (fields.number()) {
      case FIELD.comparator:
        fields.text();
        break;
      case FIELD.logNumber:
      case FIELD.nextFile:
      case FIELD.lastSequence:
      case FIELD.previousLog:
        fields.number();
        break;
      case FIELD.compactPointer:
        fields.number();
        fields.text();
        break;
      case FIELD.deletedFile:
        fields.number();
        tables.delete(fields.number());
        break;
      case FIELD.newFile: {
        fields.number();
        const number = fields.number();
        tables.set(number, fields.number());
        fields.text();
        fields.text();
        break;
      }
      default:
        throw new RangeError('a field that is not known');
    }
  }
}
