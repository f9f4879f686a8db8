import { S3 } from '@aws-sdk/client-s3';
import { testBackendAway } from '../../testing/backend-away.js';
import { motoMissing, newBucket, S3_TEST_KEYS, startMoto } from '../../testing/moto-server.js';
import { s3Environment } from './testing/s3-options.js';

const MiB = 1024 * 1024;

testBackendAway({
  name: 's3',
  skip: motoMissing,
  uploadBytes: 12 * MiB,
  longerThanDeadlineMs: 2500,
  start: async t => {
    let server = await startMoto(t);
    const { port } = server;
    const { bucket } = await newBucket(t, port);
    return {
      port,
      kill: () => server.stop('SIGKILL'),
      restart: async () => {
        server = await startMoto(t, port);
        // It has forgotten everything.
        const endpoint = `http://127.0.0.1:${port}`;
        const s3 = new S3({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: S3_TEST_KEYS });
        await s3.createBucket({ Bucket: bucket });
        s3.destroy();
      },
      env: at => ({
        DATA_BACKEND: 's3',
        ...s3Environment({ endpoint: `http://127.0.0.1:${at}`, bucket }),
        S3_STORE_TIMEOUT_MS: '2000',
      }),
    };
  },
});
