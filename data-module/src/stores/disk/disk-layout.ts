/**
 * Where blobs lie on disk: `<volume>/<hash of key mod 3511>/<key>`, one file each, as CloudServer's own data
 * daemon lays them out, so that a volume of either opens with the other.
 *
 * Uploads that are not complete lie in `<volume>/.uploads/`, checksums in `<volume>/.checksums/` (see CHECKSUMS.md), the journal
 * in `<volume>/.journal/` (see JOURNAL.md), and `<volume>/.data-module-volume` holds the volume's id. That daemon looks at
 * none of them.
 */
import path from 'node:path';

/** Number of folders. May never change: it decides where the blobs of every filled volume lie. */
export const FOLDERS = 3511;

export const UPLOADS_FOLDER = '.uploads';

export const CHECKSUMS_FOLDER = '.checksums';

export const JOURNAL_FOLDER = '.journal';

/** Holds the id of the volume. */
export const VOLUME_ID_FILE = '.data-module-volume';

/** Which of the folders a blob lies in. */
export function folderNumber(key: string): number {
  return hashOf(key) % FOLDERS;
}

export function blobFolder(volume: string, key: string): string {
  return path.join(volume, String(folderNumber(key)));
}

export function blobFile(volume: string, key: string): string {
  return path.join(blobFolder(volume, key), key);
}

/** May never change, see FOLDERS. */
function hashOf(key: string): number {
  let hash = 5381;
  for (let i = key.length - 1; i >= 0; i -= 1) hash = Math.imul(hash, 33) ^ key.charCodeAt(i);
  return hash >>> 0;
}
