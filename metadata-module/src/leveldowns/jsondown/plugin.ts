/** `METADATA_BACKEND=jsondown`. */
import path from 'node:path';
import { LevelError, type LevelDownPlugin } from '../plugin.js';
import { JsonDown } from './json-down.js';
import { JSONDOWN_SETTINGS } from './jsondown-settings.js';

/** Keeps its files in the folder `jsondown` of the metadata module. */
export const jsondownPlugin = {
  name: 'jsondown',
  settings: JSONDOWN_SETTINGS,
  keepsFiles: true,
  create: ({ settings, folder, log }) =>
    new JsonDown(path.join(folder, 'jsondown'), { journalMinBytes: settings.JSONDOWN_JOURNAL_BYTES, log }),
  explain: err => (err instanceof LevelError ? `METADATA_BACKEND=jsondown: ${err.message}` : undefined),
} satisfies LevelDownPlugin<typeof JSONDOWN_SETTINGS>;
