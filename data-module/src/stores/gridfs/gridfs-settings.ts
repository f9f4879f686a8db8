import { integer, parsed, setting, type SettingsOf } from '@zenko-modules/common/settings';
import { MONGODB_CLIENT_SETTINGS } from '@zenko-modules/common/shared-settings';
import { StartError } from '@zenko-modules/common/start-error';

export const GRIDFS_SETTINGS = {
  ...MONGODB_CLIENT_SETTINGS,
  GRIDFS_BUCKET: setting(
    parsed('letters, digits, "." and "_", at most 64', bucket),
    'fs',
    'name of the GridFS bucket: what its collections `<name>.files` and `<name>.chunks` begin with',
  ),
  GRIDFS_CHUNK_BYTES: setting(
    integer(1024, 15 * 1024 * 1024, 'bytes'),
    '261120',
    'bytes of a blob in one document; blobs keep theirs when it changes',
  ),
  GRIDFS_WINDOW: setting(
    integer(1, 64),
    '4',
    'chunks of one transfer that are on their way at once; each is held in memory',
  ),
  GRIDFS_UPLOAD_MS: setting(
    integer(1000, 1_000_000_000_000, 'milliseconds'),
    '86400000',
    'longest time that an upload may take; chunks twice as old that belong to no file are removed. At least twice `MONGODB_TIMEOUT_MS`, and the same for all modules of one bucket',
  ),
} as const;

export type GridFsSettings = SettingsOf<typeof GRIDFS_SETTINGS>;

/** @throws StartError for settings that are missing or contradict each other. */
export function checkSettings(settings: GridFsSettings): GridFsSettings & { MONGODB_URL: string } {
  const { MONGODB_URL, MONGODB_TIMEOUT_MS, GRIDFS_UPLOAD_MS } = settings;
  if (MONGODB_URL === undefined)
    throw new StartError('MONGODB_URL: DATA_BACKEND=gridfs needs the connection string of MongoDB');
  // The last call of an upload may end so much later, and clocks differ.
  const least = 2 * MONGODB_TIMEOUT_MS;
  if (GRIDFS_UPLOAD_MS < least)
    throw new StartError(
      `GRIDFS_UPLOAD_MS: "${GRIDFS_UPLOAD_MS}", expected at least twice MONGODB_TIMEOUT_MS: ${least}`,
    );
  return { ...settings, MONGODB_URL };
}

function bucket(value: string): string {
  if (!/^[A-Za-z_][\w.]{0,63}$/.test(value)) throw new Error('it has other characters');
  return value;
}
