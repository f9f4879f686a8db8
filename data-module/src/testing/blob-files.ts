import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { CHECKSUMS_FOLDER, JOURNAL_FOLDER, VOLUME_ID_FILE } from '../stores/disk/disk-layout.js';

const NO_BLOBS = [CHECKSUMS_FOLDER, JOURNAL_FOLDER];

/** The names of the files in a volume that are blobs, or uploads on the way to be one. */
export async function blobsUnder(volume: string): Promise<string[]> {
  const entries = await readdir(volume, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile() && entry.name !== VOLUME_ID_FILE)
    .filter(({ parentPath }) => !NO_BLOBS.includes(path.basename(parentPath)))
    .map(({ name }) => name);
}
