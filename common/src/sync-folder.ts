import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';

/** Brings names that were added to, renamed in, or taken from a folder to stable storage. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder whose parent is there; its name is on stable storage when it resolves. One that is there
 * already may be so since a moment ago, by another process or before a crash: its name is synced all the same.
 */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  }
  await syncFolder(path.dirname(folder));
}
