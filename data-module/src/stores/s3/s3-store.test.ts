import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { lastingModule } from '../../testing/lasting-module.js';
import { motoMissing, newBucket, sharedMoto } from '../../testing/moto-server.js';
import { testStoreContract } from '../../testing/store-contract.js';
import { S3Store } from './s3-store.js';
import { s3Environment, s3Options } from './testing/s3-options.js';

const MiB = 1024 * 1024;
const SMALL_PART = 128 * 1024;

testStoreContract({
  name: 's3, small parts',
  skip: motoMissing,
  // Where a read needs a second call, and where an upload needs more parts.
  boundaries: [64 * 1024 - 8, SMALL_PART, 2 * SMALL_PART],
  largeBytes: 8 * MiB,
  open: async t => {
    const bucket = await newBucket(t, (await sharedMoto()).port);
    const options = s3Options(bucket, { partBytes: SMALL_PART, log: silentLogger() });
    const store = new S3Store(options);
    return {
      store,
      residue: bucket.count,
      reopen: async () => {
        await store.close();
        return new S3Store(options);
      },
    };
  },
});

testStoreContract({
  name: 's3 over HTTP',
  skip: motoMissing,
  boundaries: [5 * MiB],
  open: lastingModule(async file => {
    const bucket = await newBucket(file, (await sharedMoto()).port);
    const env = { DATA_BACKEND: 's3', DATA_DIR: await temporaryFolder(file), ...s3Environment(bucket) };
    return { env, residue: bucket.count };
  }),
});
