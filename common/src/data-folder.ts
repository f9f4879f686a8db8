/**
 * The folders that the parts keep things in.
 *
 * A folder that was named by a setting must be there: one that is missing is more often an unmounted
 * disk or a typing error than a wish for an empty store. The default `./data` is made at the first start.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import { DATA_FOLDER_SETTINGS } from './shared-settings.js';
import { StartError } from './start-error.js';
import { makeFolder } from './sync-folder.js';

/**
 * The absolute path of `<DATA_DIR>/<part>`, made durably when missing.
 * @throws StartError when DATA_DIR is missing (and not the default), is no folder, or cannot be written.
 */
export async function openPartFolder(dataDir: string, part: string): Promise<string> {
  const root = path.resolve(dataDir);
  if (dataDir === DATA_FOLDER_SETTINGS.DATA_DIR.default) await makeNamedFolder('DATA_DIR', root);
  await checkFolder('DATA_DIR', root);
  const folder = path.join(root, part);
  await makeNamedFolder('DATA_DIR', folder);
  await checkFolder('DATA_DIR', folder);
  return folder;
}

/**
 * Checks that `folder` is a folder that this process may read and write.
 * @throws StartError that names `setting`, the folder and the cause.
 */
export async function checkFolder(setting: string, folder: string): Promise<void> {
  try {
    const found = await stat(folder);
    if (!found.isDirectory()) throw new StartError(`${setting}: ${folder} is not a folder`);
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (err) {
    if (err instanceof StartError) throw err;
    throw folderError(setting, folder, err);
  }
}

async function makeNamedFolder(setting: string, folder: string): Promise<void> {
  try {
    await makeFolder(folder);
  } catch (err) {
    throw folderError(setting, folder, err);
  }
}

function folderError(setting: string, folder: string, err: unknown): StartError {
  const code = (err as NodeJS.ErrnoException).code ?? String(err);
  const why: Record<string, string> = {
    ENOENT: 'does not exist; make it first, or mount it',
    EACCES: 'cannot be read and written by this user',
    EPERM: 'cannot be read and written by this user',
    EROFS: 'is on a read-only file system',
    ENOSPC: 'is on a file system that is full',
    ENOTDIR: 'is not inside a folder',
  };
  return new StartError(`${setting}: folder ${folder} ${why[code] ?? `cannot be used (${code})`}`, {
    cause: err,
  });
}
