/** What the benches ask of an S3 endpoint through the AWS SDK. */
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';

export const AT_ONCE = 16;
export const PAGE = 1000;
export const Bucket = 'bench';
export const KIB = Buffer.alloc(1024, 'x');

export function connection(endpoint: string): S3ClientConfig {
  return {
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' },
    maxAttempts: 1,
  };
}

export async function put(s3: S3Client, Key: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: KIB }));
}

/** One of the keys of the page. */
export async function get(s3: S3Client, n: number): Promise<void> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: `page/${n % PAGE}` }));
  await Body?.transformToByteArray();
}

export async function page(s3: S3Client): Promise<void> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'page/' }));
  if (Contents.length !== PAGE) throw new Error(`the page has ${Contents.length} keys`);
}
