/** Which files a LevelDB consists of, by its manifest. Others in its folder are rests, which it removes when it opens. */
import path from 'node:path';
import { contentOf, filesOf, isLog, isTable, logName, tableNames } from './leveldb-files.js';
import { findLogDamage, writesIn } from './leveldb-log.js';
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

/** A LevelDB, by its manifest. */
interface Manifest {
  /** Each opening of the database makes a new one, with a higher number. */
  readonly number: number;
  /** The tables by number, with their sizes in bytes. */
  readonly tables: Map<number, number>;
  /** The fields that there is one of, by their newest values. `logNumber` is 0 in a database that was not opened yet. */
  readonly numbers: Map<number, number>;
}

/** Without each of them LevelDB does not open. */
const NEEDED = [FIELD.logNumber, FIELD.nextFile, FIELD.lastSequence];

/** What CURRENT or the manifest does not say any more. */
class ManifestError extends Error {}

/**
 * The tables by number, with their sizes in bytes. `undefined` when there is no database, or its manifest cannot be
 * read, which `describeFileDamage` tells of.
 */
export async function liveTables(folder: string): Promise<ReadonlyMap<number, number> | undefined> {
  return (await manifestIn(folder))?.tables;
}

async function manifestIn(folder: string): Promise<Manifest | undefined> {
  try {
    return await readManifest(folder);
  } catch (err) {
    if (err instanceof ManifestError) return undefined;
    throw err;
  }
}

/** What a LevelDB consists of, by its manifest. */
export interface LevelDbState {
  /** Each opening of the database makes a new one, with a higher number. */
  readonly manifest: number;
  /** By number, with their sizes in bytes. */
  readonly tables: ReadonlyMap<number, number>;
  /** Whether what is in the log of this number is not in the tables. */
  readonly needsLog: (number: number) => boolean;
  /** Of the newest write in the tables: LevelDB numbers all that is written. */
  readonly lastSequence: number;
}

/** `undefined` as of `liveTables`. */
export async function levelDbState(folder: string): Promise<LevelDbState | undefined> {
  const manifest = await manifestIn(folder);
  if (manifest === undefined) return undefined;
  const { number, tables, numbers } = manifest;
  const of = (field: number): number => numbers.get(field) ?? 0;
  const needsLog = (log: number): boolean => log >= of(FIELD.logNumber) || log === of(FIELD.previousLog);
  return { manifest: number, tables, needsLog, lastSequence: of(FIELD.lastSequence) };
}

/**
 * One line for each file that the LevelDB in `folder` cannot do without, and that is missing or damaged, logs' and
 * tables' contents left out. Opened without its CURRENT, LevelDB makes a new database and removes the tables of the old.
 */
export async function describeFileDamage(folder: string): Promise<string[]> {
  const names = new Set(await filesOf(folder));
  let manifest: Manifest | undefined;
  try {
    manifest = await readManifest(folder);
  } catch (err) {
    if (err instanceof ManifestError) return [err.message];
    throw err;
  }
  // One that a crash kept from being made has a manifest and nothing more.
  if (manifest === undefined)
    return [...names].some(name => isLog(name) || isTable(name)) ? ['CURRENT is missing'] : [];
  const missing = [...manifest.tables.keys()]
    .filter(number => !tableNames(number).some(name => names.has(name)))
    .map(number => `${tableNames(number)[0]} is missing`);
  const logNumber = manifest.numbers.get(FIELD.logNumber) ?? 0;
  const log = logName(logNumber);
  return logNumber === 0 || names.has(log) ? missing : [...missing, `${log} is missing`];
}

/** @returns `undefined` when there is no CURRENT. @throws ManifestError */
async function readManifest(folder: string): Promise<Manifest | undefined> {
  const current = await contentOf(path.join(folder, 'CURRENT'));
  if (current === undefined) return undefined;
  const name = /^(MANIFEST-\d+)\n$/.exec(current.toString())?.[1];
  if (name === undefined) throw new ManifestError('CURRENT is damaged');
  const bytes = await contentOf(path.join(folder, name));
  if (bytes === undefined) throw new ManifestError(`${name} is missing`);
  const [damage] = findLogDamage(bytes);
  if (damage !== undefined)
    throw new ManifestError(`${name}: ${damage.bytes} bytes at byte ${damage.offset} are damaged`);
  const manifest: Manifest = {
    number: Number(name.slice('MANIFEST-'.length)),
    tables: new Map(),
    numbers: new Map(),
  };
  try {
    for (const edit of writesIn(bytes)) apply(manifest, edit);
    if (NEEDED.every(field => manifest.numbers.has(field))) return manifest;
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
  }
  throw new ManifestError(`${name} is damaged`);
}

function apply({ tables, numbers }: Manifest, edit: Buffer): void {
  const fields = new Varints(edit);
  while (!fields.isAtEnd) {
    const field = fields.number();
    switch (field) {
      case FIELD.comparator:
        fields.text();
        break;
      case FIELD.logNumber:
      case FIELD.nextFile:
      case FIELD.lastSequence:
      case FIELD.previousLog:
        numbers.set(field, fields.number());
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
