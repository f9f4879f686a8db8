/** leveldown: one LevelDB in `<METADATA_PATH>/rootDB`, the one that CloudServer's own daemon keeps there. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { StartError } from '@zenko-modules/common/start-error';
import { readUuidFile } from '../deployment/uuid.js';
import { describeLogDamage } from './leveldb-log.js';
import { describeTableDamage } from './leveldb-tables.js';
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
        `METADATA_PATH: ${folder} holds the id of a deployment but not its database ${FOLDER}: bring that back, or remove the file uuid to start empty`,
      );
    }
    return leveldown(location);
  },

  async findDamage(folder) {
    const location = path.join(folder, FOLDER);
    return [...(await describeLogDamage(location)), ...(await describeTableDamage(location))];
  },

  explain({ message }) {
    if (/\block\b.*(temporarily unavailable|already held)/i.test(message)) {
      return `METADATA_PATH: the database is in use by another process (${message})`;
    }
    if (/^Corruption/.test(message)) return `METADATA_PATH: the database is damaged (${message})`;
    if (/^IO error/.test(message)) return `METADATA_PATH: the database cannot be opened (${message})`;
    return undefined;
  },
} satisfies LevelDownPlugin;

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw err;
  }
}
