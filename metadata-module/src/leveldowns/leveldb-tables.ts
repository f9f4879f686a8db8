/**
 * Damage in LevelDB's tables. LevelDB has a checksum of each block, and compares it only when it is asked to, which
 * leveldown has no option for: a turned bit is read as another value, or hides a key, and the next compaction gives it a
 * good checksum. So the checksums are compared here, before the database is opened.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { maskedCrc } from './leveldb-log.js';
import { liveTables } from './leveldb-manifest.js';
import { uncompress } from './snappy.js';
import { Varints } from './varints.js';

/** A start must not take long: of a larger database the newest tables are looked at. */
const MAX_BYTES = 512 * 1024 * 1024;
const FOOTER_BYTES = 48;
const MAGIC = Buffer.from([0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]);
/** Behind each block: how it is compressed, and the checksum. */
const TRAILER_BYTES = 5;
const SNAPPY = 1;

/** One line for each damaged table of the LevelDB in `folder`, which must not be open. */
export async function describeTableDamage(folder: string): Promise<string[]> {
  const found: string[] = [];
  let left = MAX_BYTES;
  const tables = [...((await liveTables(folder)) ?? [])].sort(([a], [b]) => b - a);
  for (const [number, size] of tables) {
    if (size > left) break;
    left -= size;
    const table = await readTable(folder, number);
    // LevelDB says so itself.
    if (table === undefined) continue;
    const damage =
      table.bytes.length === size ? findTableDamage(table.bytes) : 'it is shorter than it was, or longer';
    if (damage !== undefined) found.push(`${table.name}: ${damage}`);
  }
  return found;
}

async function readTable(
  folder: string,
  number: number,
): Promise<{ readonly name: string; readonly bytes: Buffer } | undefined> {
  const digits = String(number).padStart(6, '0');
  // Databases of older versions have the other ending.
  for (const name of [`${digits}.ldb`, `${digits}.sst`]) {
    try {
      return { name, bytes: await readFile(path.join(folder, name)) };
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
    }
  }
  return undefined;
}

/** What of a table is not what was written; `undefined`: nothing. */
export function findTableDamage(table: Buffer): string | undefined {
  try {
    const footer = table.subarray(-FOOTER_BYTES);
    if (!footer.subarray(-MAGIC.length).equals(MAGIC)) return 'its end is damaged';
    const handles = new Varints(footer);
    const [metaIndex, index] = [handleIn(handles), handleIn(handles)];
    for (const part of [metaIndex, index]) {
      for (const handle of handlesOf(block(table, part))) block(table, handle);
    }
    return undefined;
  } catch (err) {
    if (err instanceof RangeError) return err.message;
    throw err;
  }
}

interface Handle {
  readonly offset: number;
  readonly size: number;
}

function handleIn(numbers: Varints): Handle {
  return { offset: numbers.number(), size: numbers.number() };
}

/** The block, as it is stored, with how it is compressed behind it. @throws RangeError when it is damaged */
function block(table: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size + 1;
  if (end + TRAILER_BYTES - 1 > table.length - FOOTER_BYTES) throw new RangeError('its index is damaged');
  const bytes = table.subarray(offset, end);
  if (table.readUInt32LE(end) !== maskedCrc(bytes))
    throw new RangeError(`the block of ${size} bytes at byte ${offset} is damaged`);
  return bytes;
}

/** The blocks that a block of an index names: the values of its entries. */
function handlesOf(stored: Buffer): Handle[] {
  const content = stored.subarray(0, -1);
  const entries = stored.at(-1) === SNAPPY ? uncompress(content) : content;
  // At the end stand the places where keys begin anew, and how many these are.
  const restarts = entries.readUInt32LE(entries.length - 4);
  const reader = new Varints(entries.subarray(0, entries.length - 4 - 4 * restarts));
  const handles: Handle[] = [];
  while (!reader.isAtEnd) {
    reader.number();
    const keyBytes = reader.number();
    const valueBytes = reader.number();
    reader.bytes(keyBytes);
    handles.push(handleIn(new Varints(reader.bytes(valueBytes))));
  }
  return handles;
}
