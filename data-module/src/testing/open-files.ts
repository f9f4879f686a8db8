import { readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { CHECKSUMS_FOLDER, JOURNAL_FOLDER } from '../stores/disk/disk-layout.js';

/** The files under `folder` that this process has open (Linux), but for the checksum log and the journal, which a store keeps open. */
export async function openFilesUnder(folder: string): Promise<string[]> {
  const names = await readdir('/proc/self/fd');
  const links = await Promise.allSettled(names.map(name => readlink(`/proc/self/fd/${name}`)));
  return links.flatMap(link =>
    link.status === 'fulfilled' && link.value.startsWith(folder) && !isLog(link.value) ? [link.value] : [],
  );
}

function isLog(file: string): boolean {
  return [CHECKSUMS_FOLDER, JOURNAL_FOLDER].includes(path.basename(path.dirname(file)));
}
