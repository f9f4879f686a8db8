/** Stores that keep files, each on each file system that has a journal of its own. */
import test from 'node:test';
import { cuttableDiskMissing } from '@zenko-modules/common/testing/cuttable-disk';
import { cutThePower } from '../testing/power-cuts.js';

const STORES = {
  disk: (volume: string) => ({ DATA_PATH: volume, DATA_WORKERS: '2' }),
  packed: (volume: string) => ({ PACKED_PATH: volume, PACKED_MAX_BLOB_BYTES: '65536' }),
} as const;

for (const [store, settingsOf] of Object.entries(STORES)) {
  for (const type of ['ext4', 'xfs'] as const) {
    test(
      `when the power of the disk is cut, what was acknowledged is there: ${store} store on ${type}`,
      { skip: cuttableDiskMissing(type) },
      t =>
        cutThePower(t, {
          type,
          settings: volume => ({
            DATA_BACKEND: store,
            DATA_DIR: `${volume}.notes`,
            ...settingsOf(volume),
          }),
        }),
    );
  }
}
