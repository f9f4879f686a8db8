import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { lastingModule } from '../../testing/lasting-module.js';
import { testStoreContract } from '../../testing/store-contract.js';
import { GridFsStore } from './gridfs-store.js';
import { gridFsEnvironment, gridFsOptions, newPlace } from './testing/gridfs-place.js';

const MiB = 1024 * 1024;
const DEFAULT_CHUNK = 261_120;
const SMALL_CHUNK = 20_000;

testStoreContract({
  name: 'gridfs, small chunks',
  skip: mongodbMissing,
  boundaries: [SMALL_CHUNK, 4 * SMALL_CHUNK],
  largeBytes: 4 * MiB,
  open: async t => {
    const place = await newPlace(t);
    const options = gridFsOptions(place, { chunkBytes: SMALL_CHUNK, window: 3 });
    const store = new GridFsStore(options);
    return {
      store,
      residue: place.count,
      reopen: async () => {
        await store.close();
        return new GridFsStore(options);
      },
    };
  },
});

testStoreContract({
  name: 'gridfs over HTTP',
  skip: mongodbMissing,
  boundaries: [DEFAULT_CHUNK],
  largeBytes: 32 * MiB,
  open: lastingModule(async file => {
    const place = await newPlace(file);
    const env = {
      DATA_BACKEND: 'gridfs',
      DATA_DIR: await temporaryFolder(file),
      ...gridFsEnvironment(place),
    };
    return { env, residue: place.count };
  }),
});
