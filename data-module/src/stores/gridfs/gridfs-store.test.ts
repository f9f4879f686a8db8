import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../../testing/http-store.js';
import { startTestModule } from '../../testing/start-module.js';
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
  open: async t => {
    const place = await newPlace(t);
    const env = {
      DATA_BACKEND: 'gridfs',
      DATA_DIR: await temporaryFolder(t),
      ...gridFsEnvironment(place),
    };
    const module = await startTestModule(t, env);
    const reopen = async () => {
      await module.close();
      return new HttpStore((await startTestModule(t, env)).port);
    };
    return { store: new HttpStore(module.port), residue: place.count, reopen };
  },
});
