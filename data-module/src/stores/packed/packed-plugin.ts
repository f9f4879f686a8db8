import path from 'node:path';
import { checkFolder } from '@zenko-modules/common/data-folder';
import { createVolumeMetrics } from '@zenko-modules/common/volume-metrics';
import { TRANSFER_MEMORY_BYTES } from '../disk/file-writer.js';
import type { StorePlugin } from '../plugin.js';
import { PACKED_SETTINGS } from './packed-settings.js';
import { openPackedStore } from './packed-store.js';
import { recordBytes } from '../record-format.js';

export const packedStore: StorePlugin<typeof PACKED_SETTINGS> = {
  name: 'packed',
  settings: PACKED_SETTINGS,
  placeSetting: 'PACKED_PATH',
  keepsFiles: true,
  // A blob that is packed is held as it came, and as the record that it becomes.
  transferMemoryBytes: ({ PACKED_MAX_BLOB_BYTES }) =>
    Math.max(TRANSFER_MEMORY_BYTES, 2 * recordBytes(PACKED_MAX_BLOB_BYTES)),
  async open({ settings, openFolder, log, registry }) {
    const { PACKED_PATH } = settings;
    const folder = PACKED_PATH === undefined ? await openFolder('data-packed') : path.resolve(PACKED_PATH);
    if (PACKED_PATH !== undefined) await checkFolder('PACKED_PATH', folder);
    createVolumeMetrics(registry, folder);
    return openPackedStore(folder, settings, log, registry);
  },
};
