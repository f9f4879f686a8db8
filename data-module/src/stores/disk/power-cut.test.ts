import test from 'node:test';
import { cuttableDiskMissing } from '@zenko-modules/common/testing/cuttable-disk';
import { cutThePower } from '../../testing/power-cuts.js';

for (const type of ['ext4', 'xfs'] as const) {
  test(
    `when the power of the disk is cut, what was acknowledged is there: disk store on ${type}`,
    { skip: cuttableDiskMissing(type) },
    t =>
      cutThePower(t, {
        type,
        settings: DATA_PATH => ({
          DATA_BACKEND: 'disk',
          DATA_PATH,
          DATA_WORKERS: '2',
          DATA_DIR: `${DATA_PATH}.notes`,
        }),
      }),
  );
}
