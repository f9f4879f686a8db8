/** Modules over one bucket are killed in the midst of uploads and deletes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { killModules } from '../../testing/killed-modules.js';
import { motoMissing, newBucket, sharedMoto } from '../../testing/moto-server.js';
import { s3Environment } from './testing/s3-options.js';

const MiB = 1024 * 1024;
const KILLS = Number(process.env.CRASH_KILLS ?? 3);

for (const modules of [1, 4]) {
  test(
    `after SIGKILL acknowledged blobs are whole, deleted ones gone, and no half one is there: s3, ${modules} modules`,
    { skip: motoMissing },
    async t => {
      const bucket = await newBucket(t, (await sharedMoto()).port);
      const { stored, untold, store } = await killModules(t, {
        modules,
        kills: KILLS,
        maxBytes: 6 * MiB,
        env: async () => ({
          DATA_BACKEND: 's3',
          DATA_DIR: await temporaryFolder(t),
          ...s3Environment(bucket),
        }),
      });
      const names = (await bucket.objects()).filter(name => !name.endsWith('probe'));
      assert.ok(names.length <= stored.size + untold, `${names.length} objects`);
      // Each of them is whole, told or not.
      for (const name of names) await store.stat(name.replace('zenko-data/', ''));
      t.diagnostic(`${names.length - stored.size} untold, ${await bucket.uploads()} uploads for the sweep`);
    },
  );
}
