/** Small files that are replaced as a whole: after a crash there is the old content or the new one, never a mixture. */
import { open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '@zenko-modules/common/sync-folder';

/** Replaces `file` by `content`; on stable storage when it resolves. One writer at a time. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await syncFolder(path.dirname(file));
}

/** The content of `file`, or `undefined` when there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}
