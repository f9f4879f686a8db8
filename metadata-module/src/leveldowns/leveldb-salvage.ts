/**
 * Makes a damaged LevelDB one that opens, of what is left of it. LevelDB's own repair keeps a block whose checksum is wrong
 * as it reads it, and so would give another value, or a key out of order, a good checksum: such blocks are made unreadable
 * before. What it does not take over it moves to `lost` below the folder; nothing is removed.
 */
import { constants, copyFile, mkdir, open, rename } from 'node:fs/promises';
import path from 'node:path';
import { closeLevel, openLevel } from './level-calls.js';
import { leveldown } from './leveldown-binding.js';
import { describeFileDamage } from './leveldb-manifest.js';
import { type DamagedTable, findDamagedTables, typeAt } from './leveldb-tables.js';

/** No way in which a block is compressed. */
const UNREADABLE = 0xff;

/**
 * Takes as long as reading and writing the whole database. Damage in logs alone needs none of it: LevelDB passes it over.
 * Resolves with whether there was other damage.
 */
export async function salvage(folder: string): Promise<boolean> {
  const tables = await findDamagedTables(folder);
  const files = await describeFileDamage(folder);
  if (tables.length === 0 && files.length === 0) return false;
  await mkdir(path.join(folder, 'lost'), { recursive: true });
  for (const table of tables) await hide(folder, table);
  await leveldown.repair(folder);
  // The repair leaves all tables on the first level, where so many of them stop writes.
  const level = leveldown(folder);
  await openLevel(level);
  try {
    await leveldown.compact(level);
  } finally {
    await closeLevel(level);
  }
  return true;
}

async function hide(folder: string, { name, blocks }: DamagedTable): Promise<void> {
  const [table, kept] = [path.join(folder, name), path.join(folder, 'lost', `${name}.damaged`)];
  if (blocks.length === 0) {
    await rename(table, kept);
    return;
  }
  try {
    await copyFile(table, kept, constants.COPYFILE_EXCL);
  } catch (err) {
    // One that was cut off has kept it, and hidden some of its blocks since.
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  }
  const file = await open(table, 'r+');
  try {
    for (const block of blocks) await file.write(Buffer.of(UNREADABLE), 0, 1, typeAt(block));
    await file.sync();
  } finally {
    await file.close();
  }
}
