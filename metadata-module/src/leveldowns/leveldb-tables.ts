/**
 * Damage in LevelDB's tables. LevelDB has a checksum of each block, and compares it only when it is asked to, which
 * leveldown has no option for: a turned bit is read as another value, or hides a key, and the next compaction gives it a
 * good checksum. So the checksums are compared here, before the database is opened.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { contentOf, filesOf, isTable, tableNames } from './leveldb-files.js';
import { maskedCrc } from './leveldb-log.js';
import { liveTables } from './leveldb-manifest.js';
import { uncompress } from './snappy.js';
import { Varints } from './varints.js';

/** A start must not take long: of a larger database the newest tables are looked at. */
const MAX_BYTES = 512 * 1024 * 1024;
export const FOOTER_BYTES = 48;
const MAGIC = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
/** Behind each block: how it is compressed, and the checksum. */
export const TRAILER_BYTES = 5;
const SNAPPY = 1;

export interface DamagedTable {
  readonly name: string;
  /** The first thing that is wrong. */
  readonly text: string;
  /** The blocks that are damaged; none where it is not known which are not. */
  readonly blocks: readonly Handle[];
}

/** The damaged ones of the newest tables of the LevelDB in `folder`, which must not be open. */
export async function findDamagedTables(folder: string): Promise<DamagedTable[]> {
  const found: DamagedTable[] = [];
  let left = MAX_BYTES;
  for (const [name, size] of await tablesOf(folder)) {
    if (size > left) break;
    left -= size;
    const bytes = await contentOf(path.join(folder, name));
    // Told of as a missing file.
    if (bytes === undefined) continue;
    const damage =
      bytes.length === size
        ? findTableDamage(bytes)
        : { text: 'it is shorter than it was, or longer', blocks: [] };
    if (damage !== undefined) found.push({ name, ...damage });
  }
  return found;
}

/** The newest first, with their sizes in bytes: those of the manifest, or, when that cannot be read, all in the folder. */
async function tablesOf(folder: string): Promise<[string, number][]> {
  const names = await filesOf(folder);
  const live = await liveTables(folder);
  if (live === undefined) {
    const sizeOf = async (name: string): Promise<[string, number]> => [
      name,
      (await stat(path.join(folder, name))).size,
    ];
    return (await Promise.all(names.filter(isTable).map(sizeOf))).reverse();
  }
  const present = new Set(names);
  return [...live]
    .sort(([a], [b]) => b - a)
    .map(([number, size]) => {
      const [usual, older] = tableNames(number);
      return [present.has(older) ? older : usual, size];
    });
}

/** What of a table is not what was written; `undefined`: nothing. */
export function findTableDamage(table: Buffer): Omit<DamagedTable, 'name'> | undefined {
  const blocks: Handle[] = [];
  let text: string | undefined;
  try {
    const { metaIndex, index } = partsIn(table.subarray(-FOOTER_BYTES));
    for (const part of [metaIndex, index]) {
      for (const handle of handlesOf(block(table, part))) {
        if (isIntact(table, handle)) continue;
        blocks.push(handle);
        text ??= damageOf(handle);
      }
    }
  } catch (err) {
    if (err instanceof RangeError) return { text: err.message, blocks: [] };
    throw err;
  }
  return text === undefined ? undefined : { text, blocks };
}

export interface Handle {
  readonly offset: number;
  readonly size: number;
}

export function handleIn(numbers: Varints): Handle {
  return { offset: numbers.number(), size: numbers.number() };
}

/** The blocks that name the others. @throws RangeError when it is no footer of a table */
export function partsIn(footer: Buffer): { readonly metaIndex: Handle; readonly index: Handle } {
  if (!footer.subarray(-MAGIC.length).equals(MAGIC)) throw new RangeError('its end is damaged');
  const handles = new Varints(footer);
  return { metaIndex: handleIn(handles), index: handleIn(handles) };
}

/** Where how it is compressed is said of a block, behind it. */
export const typeAt = ({ offset, size }: Handle): number => offset + size;

/** The block, as it is stored, with how it is compressed behind it. @throws RangeError when it is damaged */
function block(table: Buffer, handle: Handle): Buffer {
  if (!isIntact(table, handle)) throw new RangeError(damageOf(handle));
  return table.subarray(handle.offset, typeAt(handle) + 1);
}

/** @throws RangeError when it reaches beyond the table */
function isIntact(table: Buffer, handle: Handle): boolean {
  const end = typeAt(handle) + 1;
  if (end + TRAILER_BYTES - 1 > table.length - FOOTER_BYTES) throw new RangeError('its index is damaged');
  return table.readUInt32LE(end) === maskedCrc(table.subarray(handle.offset, end));
}

const damageOf = ({ offset, size }: Handle): string =>
  `the block of ${size} bytes at byte ${offset} is damaged`;

/** The blocks that a block of an index names: the values of its entries. */
function handlesOf(stored: Buffer): Handle[] {
  return Array.from(blockEntries(stored), ({ value }) => handleIn(new Varints(value)));
}

/** What a block holds, as it is stored with how it is compressed behind it. @throws RangeError */
export function* blockEntries(stored: Buffer): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
  const content = stored.subarray(0, -1);
  const entries = stored.at(-1) === SNAPPY ? uncompress(content) : content;
  // At the end stand the places where keys begin anew, and how many these are.
  const restarts = entries.readUInt32LE(entries.length - 4);
  const reader = new Varints(entries.subarray(0, entries.length - 4 - 4 * restarts));
  let key = Buffer.alloc(0);
  while (!reader.isAtEnd) {
    const shared = reader.number();
    const keyBytes = reader.number();
    const valueBytes = reader.number();
    key = Buffer.concat([key.subarray(0, shared), reader.bytes(keyBytes)]);
    yield { key, value: reader.bytes(valueBytes) };
  }
}
