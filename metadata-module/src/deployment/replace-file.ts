/** Small files that are whole whenever they are there. */
import { open, rename } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '@zenko-modules/common/sync-folder';

/** Replaces `file` by one that holds `text`; durable when it resolves, and the old or the new one before. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await syncFolder(path.dirname(file));
}
