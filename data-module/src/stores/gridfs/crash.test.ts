/** Modules over one GridFS are killed in the midst of uploads and deletes, and sweep what the others are at work on. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/harmed-transfers.js';
import { killModules } from '../../testing/killed-modules.js';
import { gridFsEnvironment, newPlace } from './testing/gridfs-place.js';

const CHUNK = 20_000;
const KILLS = Number(process.env.CRASH_KILLS ?? 3);

for (const modules of [1, 4]) {
  test(
    `after SIGKILL acknowledged blobs are whole, deleted ones gone, and the rest is swept: gridfs, ${modules} modules`,
    { skip: mongodbMissing },
    async t => {
      const place = await newPlace(t);
      const { stored, untold } = await killModules(t, {
        modules,
        kills: KILLS,
        maxBytes: 20 * CHUNK,
        env: async () => ({
          DATA_BACKEND: 'gridfs',
          DATA_DIR: await temporaryFolder(t),
          ...gridFsEnvironment(place),
          // Its stand-in does one thing at a time.
          MONGODB_TIMEOUT_MS: '7000',
          GRIDFS_CHUNK_BYTES: String(CHUNK),
          // Longer than a slow upload on a busy machine; and they sweep as often.
          GRIDFS_UPLOAD_MS: '14000',
        }),
      });
      const files = await place.files.find().toArray();
      assert.ok(files.length >= stored.size && files.length <= stored.size + untold, `${files.length} files`);
      const chunks = files.reduce((sum, { length }) => sum + Math.ceil(length / CHUNK), 0);
      const before = await place.chunks.countDocuments();
      await eventually(
        'chunks without a file are swept',
        async () => (await place.chunks.countDocuments()) === chunks,
      );
      t.diagnostic(`${files.length - stored.size} untold, ${before - chunks} chunks were swept`);
    },
  );
}
