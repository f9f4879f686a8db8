import path from 'node:path';
import { checkFolder } from '@zenko-modules/common/data-folder';
import type { StorePlugin } from '../plugin.js';
import { PACKED_SETTINGS } from './packed-settings.js';
import { openPackedStore } from './packed-store.js';

export const packedStore: StorePlugin<typeof PACKED_SETTINGS> = {
  name: 'packed',
  settings: PACKED_SETTINGS,
  async open({ settings, openFolder, log }) {
    const { PACKED_PATH } = settings;
    if (PACKED_PATH === undefined) return openPackedStore(await openFolder('data-packed'), settings, log);
    await checkFolder('PACKED_PATH', PACKED_PATH);
    return openPackedStore(path.resolve(PACKED_PATH), settings, log);
  },
};
