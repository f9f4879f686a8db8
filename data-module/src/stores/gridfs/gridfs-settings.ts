import { integer, parsed, setting, type SettingsOf } from '@zenko-modules/common/settings';
import { MONGODB_CLIENT_SETTINGS } from '@zenko-modules/common/shared-settings';

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
    'longest time that an upload may take; chunks twice as old that belong to no file are removed. The same for all modules of one bucket',
  ),
} as const;

export type GridFsSettings = SettingsOf<typeof GRIDFS_SETTINGS>;

function bucket(value: string): string {
  if (!/^[A-Za-z_][\w.]{0,63}$/.test(value)) throw new Error('it has other characters');
  return value;
}
