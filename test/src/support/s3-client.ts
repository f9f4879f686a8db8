import type { TestContext } from 'node:test';
import { S3Client } from '@aws-sdk/client-s3';
import type { Everything } from './everything.js';

/** The AWS SDK as a user sets it up for a private endpoint. It is closed when the test ends. */
export function s3Client(t: Pick<TestContext, 'after'>, { ports }: Pick<Everything, 'ports'>): S3Client {
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${ports.S3_PORT ?? ''}`,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 5,
    credentials: { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' },
  });
  t.after(() => client.destroy());
  return client;
}
