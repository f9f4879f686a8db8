/** The deployment's id, made once and kept: in the file `uuid` beside the store, as CloudServer's own daemon does, or in the store. */
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { StartError } from '@zenko-modules/common/start-error';
import { replaceFile } from './replace-file.js';
import { Database } from '../store/key-space.js';
import type { CommitQueue } from '../store/commit-queue.js';
import type { OpenLevel } from '../store/open-level.js';
import { RECORD_LOGS_DATABASE } from '../record-log/record.js';

const FILE = 'uuid';
/** Where the id is, for stores that keep it themselves. No client reaches a database below this name. */
export const UUID_KEY = new Database([RECORD_LOGS_DATABASE, 'deployment']).keyOf('uuid');

/** For stores that are a folder on this machine. */
export async function uuidInFolder(folder: string): Promise<string> {
  const known = await readUuidFile(folder);
  if (known !== undefined) return known;
  const uuid = randomUUID();
  await writeUuidFile(folder, uuid);
  return uuid;
}

/** Makes `uuid` the id in `<folder>/uuid`; durable when resolved. */
export async function writeUuidFile(folder: string, uuid: string): Promise<void> {
  await replaceFile(path.join(folder, FILE), uuid);
}

/** The id in `<folder>/uuid`, or `undefined` when there is no such file. */
export async function readUuidFile(folder: string): Promise<string | undefined> {
  const file = path.join(folder, FILE);
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
  if (text === '')
    throw new StartError(
      `METADATA_PATH: ${file} is empty: expected the deployment's id, which the first line of each backup tells`,
    );
  return text;
}

/** For stores elsewhere: several machines may run over one of them, one after the other. */
export async function uuidInStore(store: OpenLevel, commits: CommitQueue): Promise<string> {
  const known = await store.get(UUID_KEY);
  if (known !== undefined) return known;
  const uuid = randomUUID();
  await commits.commitUnlogged([{ type: 'put', key: UUID_KEY, value: uuid }]);
  return uuid;
}
