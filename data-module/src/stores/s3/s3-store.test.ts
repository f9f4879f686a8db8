import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import type { Environment } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../../testing/http-store.js';
import { motoMissing, newBucket, sharedMoto } from '../../testing/moto-server.js';
import { startTestModule } from '../../testing/start-module.js';
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

async function environment(t: TestContext): Promise<{ env: Environment; count: () => Promise<number> }> {
  const bucket = await newBucket(t, (await sharedMoto()).port);
  return {
    env: { DATA_BACKEND: 's3', DATA_DIR: await temporaryFolder(t), ...s3Environment(bucket) },
    count: bucket.count,
  };
}

testStoreContract({
  name: 's3 over HTTP',
  skip: motoMissing,
  boundaries: [5 * MiB],
  open: async t => {
    const { env, count } = await environment(t);
    const module = await startTestModule(t, env);
    const reopen = async () => {
      await module.close();
      return new HttpStore((await startTestModule(t, env)).port);
    };
    return { store: new HttpStore(module.port), residue: count, reopen };
  },
});
