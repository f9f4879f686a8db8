/** leveldown: one LevelDB in `<METADATA_PATH>/rootDB`, the one that CloudServer's own daemon keeps there. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { BRING_BACK } from '../deployment/losses.js';
import { readUuidFile } from '../deployment/uuid.js';
import { closeLevel, openLevel } from './level-calls.js';
import { levelDbAtRest } from './leveldb-at-rest.js';
import { describeLogDamage } from './leveldb-log.js';
import { describeFileDamage } from './leveldb-manifest.js';
import { salvage } from './leveldb-salvage.js';
import { findDamagedTables } from './leveldb-tables.js';
import { leveldown } from './leveldown-binding.js';
import type { LevelDownPlugin } from './plugin.js';

const FOLDER = 'rootDB';

export const leveldownPlugin = {
  name: 'leveldown',
  settings: {},
  keepsFiles: true,
  uuidInFolder: true,

  async create({ folder }) {
    const location = path.join(folder, FOLDER);
    const uuid = await readUuidFile(folder);
    // The id is written after the database: alone it is the rest of a store whose disk is not mounted, or was lost.
    if (uuid !== undefined && !(await exists(location))) {
      throw new StartError(
        `METADATA_PATH: ${folder} holds the id of a deployment but not its database ${FOLDER}: ${BRING_BACK}, or remove the file uuid to start empty`,
      );
    }
    return leveldown(location);
  },

  async findDamage(folder) {
    const location = path.join(folder, FOLDER);
    const tables = (await findDamagedTables(location)).map(({ name, text }) => `${name}: ${text}`);
    const damage = [
      ...(await describeFileDamage(location)),
      ...(await describeLogDamage(location)),
      ...tables,
    ];
    // Of a database that another process writes to nothing can be said: `open` tells of that.
    return damage.length > 0 && (await isInUse(location)) ? [] : damage;
  },

  salvage: folder => salvage(path.join(folder, FOLDER)),

  atRest: folder => levelDbAtRest(path.join(folder, FOLDER)),

  explain({ message }) {
    if (isLocked(message)) return `METADATA_PATH: the database is in use by another process (${message})`;
    if (/^Corruption/.test(message))
      return `METADATA_PATH: the database is damaged (${message}): ${BRING_BACK}`;
    if (/^IO error/.test(message))
      return `METADATA_PATH: the database cannot be opened (${message}): see to its permissions, and to the disk`;
    return undefined;
  },
} satisfies LevelDownPlugin;

const isLocked = (message: string): boolean =>
  /\block\b.*(temporarily unavailable|already held)/i.test(message);

/** LevelDB takes its lock first, and opens no database that must not be there, or must. */
async function isInUse(location: string): Promise<boolean> {
  const level = leveldown(location);
  try {
    await openLevel(level, { createIfMissing: false, errorIfExists: true });
    await closeLevel(level);
    return false;
  } catch (err) {
    return isLocked(messageOf(err));
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}
