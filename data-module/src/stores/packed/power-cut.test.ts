import test from 'node:test';
import { cuttableDiskMissing } from '@zenko-modules/common/testing/cuttable-disk';
import { cutThePower } from '../../testing/power-cuts.js';

for (const type of ['ext4', 'xfs'] as const) {
  test(
    `when the power of the disk is cut, what was acknowledged is there: packed store on ${type}`,
    { skip: cuttableDiskMissing(type) },
    t =>
      cutThePower(t, {
        type,
        settings: PACKED_PATH => ({
          DATA_BACKEND: 'packed',
          PACKED_PATH,
          DATA_DIR: `${PACKED_PATH}.notes`,
          PACKED_MAX_BLOB_BYTES: '65536',
        }),
      }),
  );
}
