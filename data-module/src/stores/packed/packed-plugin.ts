import path from 'node:path';
import { checkFolder } from '@zenko-modules/common/data-folder';
import { TRANSFER_MEMORY_BYTES } from '../disk/file-writer.js';
import type { StorePlugin } from '../plugin.js';
import { PACKED_SETTINGS } from './packed-settings.js';
import { openPackedStore } from './packed-store.js';
import { recordBytes } from './record-format.js';

export const packedStore: StorePlugin<typeof PACKED_SETTINGS> = {
  name: 'packed',
  settings: PACKED_SETTINGS,
  placeSetting: 'PACKED_PATH',
  // A blob that is packed is held as it came, and as the record that it becomes.
  transferMemoryBytes: ({ PACKED_MAX_BLOB_BYTES }) =>
    Math.max(TRANSFER_MEMORY_BYTES, 2 * recordBytes(PACKED_MAX_BLOB_BYTES)),
  async open({ settings, openFolder, log, registry }) {
    const { PACKED_PATH } = settings;
    if (PACKED_PATH === undefined)
      return openPackedStore(await openFolder('data-packed'), settings, log, registry);
    await checkFolder('PACKED_PATH', PACKED_PATH);
    return openPackedStore(path.resolve(PACKED_PATH), settings, log, registry);
  },
};
