/** Options of a store on a bucket of a test. */
import { silentLogger } from '@zenko-modules/common/logger';
import { type BucketView, S3_TEST_KEYS } from '../../../testing/moto-server.js';
import type { S3StoreOptions } from '../s3-store.js';

type Place = Pick<BucketView, 'endpoint' | 'bucket'>;

/** So long that nothing on moto, which says of every upload that it began in 2010, is ever swept. */
export const NEVER_SWEPT_MS = 900_000_000_000;

/** That does not sweep. */
export function s3Options({ endpoint, bucket }: Place, more: Partial<S3StoreOptions> = {}): S3StoreOptions {
  return {
    endpoint,
    bucket,
    region: 'us-east-1',
    credentials: S3_TEST_KEYS,
    pathStyle: true,
    timeoutMs: 10_000,
    prefix: 'zenko-data/',
    partBytes: 5 * 1024 * 1024,
    uploadMs: 3_600_000,
    sweeps: false,
    log: silentLogger(),
    ...more,
  };
}

/** The same for a module, which sweeps nothing on moto. */
export function s3Environment({ endpoint, bucket }: Place): Record<string, string> {
  return {
    S3_STORE_ENDPOINT: endpoint,
    S3_STORE_BUCKET: bucket,
    S3_STORE_ACCESS_KEY: S3_TEST_KEYS.accessKeyId,
    S3_STORE_SECRET_KEY: S3_TEST_KEYS.secretAccessKey,
    S3_STORE_UPLOAD_MS: String(NEVER_SWEPT_MS),
  };
}
