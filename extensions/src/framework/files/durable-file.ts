/** Small files that are replaced as a whole: after a crash there is the old content or the new one, never a mixture. */
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '@zenko-modules/common/sync-folder';

/** Replaces `file` by `content`; on stable storage when it resolves. One writer at a time. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.tmp`;
  await writeSynced(temporary, content);
  await rename(temporary, file);
  await syncFolder(path.dirname(file));
}

/** Makes `file`, on stable storage when it resolves; leaves one that is there alone. Any number of writers may try at once. */
export async function createFile(file: string, content: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeSynced(draft, content);
    await link(draft, file);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(path.dirname(file));
}

async function writeSynced(file: string, content: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
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
