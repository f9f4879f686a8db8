import assert from 'node:assert/strict';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { eventually, testHarmedTransfers } from '../../testing/harmed-transfers.js';
import { motoMissing, newBucket, sharedMoto } from '../../testing/moto-server.js';
import { StoreLayer } from '../store-layer.js';
import { S3Store } from './s3-store.js';
import { SEAL_BYTES } from './sealed-object.js';
import { s3Options } from './testing/s3-options.js';

const PART = 100_000;

testHarmedTransfers({
  name: 's3',
  skip: motoMissing,
  maxBytes: 4 * PART,
  open: async t => {
    const { port } = await sharedMoto();
    const bucket = await newBucket(t, port);
    const proxy = await startTcpProxy(t, port);
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    const options = s3Options({ ...bucket, endpoint }, { partBytes: PART, timeoutMs: 1000 });
    const store = new StoreLayer(new S3Store(options));
    t.after(() => store.close());
    return {
      store,
      proxy,
      holdsOnly: async blobs => {
        const expected = [...blobs.keys()].map(key => options.prefix + key).sort();
        await eventually('what is left is removed', async () => {
          assert.deepEqual((await bucket.objects()).sort(), expected);
          return true;
        });
        for (const [key, size] of blobs) {
          const { ContentLength } = await bucket.s3.headObject({
            Bucket: bucket.bucket,
            Key: options.prefix + key,
          });
          assert.equal(ContentLength, size + SEAL_BYTES);
        }
        // One whose beginning was not answered is known to nobody, and is left to the sweep.
        assert.ok((await bucket.uploads()) <= proxy.harmed());
      },
    };
  },
});
