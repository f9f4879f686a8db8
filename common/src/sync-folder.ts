import { open } from 'node:fs/promises';

/** Brings names that were added to, renamed in, or taken from a folder to stable storage. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
