/** The keys of a volume, folder by folder: a bounded part of them is in memory. */
import { opendir } from 'node:fs/promises';
import path from 'node:path';
import { FOLDERS } from './disk-layout.js';
import type { Volume } from './volume.js';

const KEY = /^[0-9a-f]+$/;

/**
 * Those in the folders from `first` to before `end`, in the order of the folders. What is put or deleted meanwhile may be
 * among them or not. Rejects when the volume has gone.
 */
export async function* blobKeys(
  volume: Pick<Volume, 'path' | 'check'>,
  first = 0,
  end = FOLDERS,
): AsyncGenerator<string, void, undefined> {
  for (let number = first; number < end; number += 1) {
    try {
      for await (const entry of await opendir(path.join(volume.path, String(number)), { bufferSize: 256 })) {
        if (entry.isFile() && KEY.test(entry.name)) yield entry.name;
      }
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err;
      // Folders are made as needed. On a volume that has gone all are missing.
      await volume.check();
    }
  }
  // Another volume in its place may have every folder.
  await volume.check();
}
