/** `METADATA_BACKEND=jsondown`. */
import path from 'node:path';
import { integer, setting } from '@zenko-modules/common/settings';
import { LevelError, type LevelDownPlugin } from '../plugin.js';
import { JsonDown } from './json-down.js';

export const JSONDOWN_SETTINGS = {
  JSONDOWN_JOURNAL_BYTES: setting(
    integer(1024, 2 ** 40, 'bytes'),
    '1048576',
    'size of the journal from which a new snapshot is written, once it is larger than the last one too',
  ),
} as const;

/** Keeps its files in the folder `jsondown` of the metadata module. */
export const jsondownPlugin = {
  name: 'jsondown',
  settings: JSONDOWN_SETTINGS,
  keepsFiles: true,
  create: ({ settings, folder, log }) =>
    new JsonDown(path.join(folder, 'jsondown'), { journalMinBytes: settings.JSONDOWN_JOURNAL_BYTES, log }),
  explain: err => (err instanceof LevelError ? `METADATA_BACKEND=jsondown: ${err.message}` : undefined),
} satisfies LevelDownPlugin<typeof JSONDOWN_SETTINGS>;
