/**
 * s3-front of two checkouts beside each other, through the AWS SDK: `node bench/dist/s3.js THIS OTHER [--turns N]
 * [--only ROW]`. Each has modules of its own, from its own checkout. A row that one of the two cannot do is `n/a`.
 */
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { MiB, Teardown } from './measure.js';
import { compare, forSeconds, type Row, type Side, startOf, versusArguments } from './versus/turns.js';

const SECONDS = 3;
const AT_ONCE = 16;
const PAGE = 1000;
const Bucket = 'bench';
const KIB = Buffer.alloc(1024, 'x');
const LARGE = Buffer.alloc(64 * MiB, 'x');

interface FrontSide extends Side {
  readonly s3: S3Client;
  readonly hasMultipart: boolean;
}

async function start(teardown: Teardown, checkout: string): Promise<FrontSide> {
  const quiet = { LOG_LEVEL: 'warn' };
  const data = await startOf(teardown, checkout, 'data-module/dist/main.js', folder => ({
    ...quiet,
    DATA_DIR: folder,
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
  }));
  const metadata = await startOf(teardown, checkout, 'metadata-module/dist/main.js', folder => ({
    ...quiet,
    DATA_DIR: folder,
    METADATA_PORT: '0',
    METADATA_PROBE_PORT: '0',
  }));
  const front = await startOf(teardown, checkout, 's3-front/dist/main.js', () => ({
    ...quiet,
    DATA_PORT: String(data.ports.DATA_PORT),
    METADATA_PORT: String(metadata.ports.METADATA_PORT),
    S3_PORT: '0',
    S3_PROBE_PORT: '0',
  }));
  const s3 = new S3Client({
    endpoint: `http://127.0.0.1:${front.ports.S3_PORT ?? 0}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' },
    maxAttempts: 1,
  });
  teardown.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket }));
  let filled = 0;
  const fill = async (): Promise<void> => {
    while (filled < PAGE) await put(s3, `page/${filled++}`);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fill));
  return { pid: front.pid, s3, hasMultipart: await canUploadInParts(s3) };
}

async function put(s3: S3Client, Key: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: KIB }));
}

async function upload(client: S3Client): Promise<void> {
  await new Upload({ client, params: { Bucket, Key: 'large', Body: LARGE } }).done();
}

/** Whether it can, which is no news of a checkout from before it could; every other failure is thrown. */
async function canUploadInParts(client: S3Client): Promise<boolean> {
  try {
    await upload(client);
    return true;
  } catch (err) {
    if ((err as Error).name !== 'NotImplemented') throw err;
    return false;
  }
}

async function page(s3: S3Client): Promise<void> {
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'page/' }));
  if (Contents.length !== PAGE) throw new Error(`the page has ${Contents.length} keys`);
}

const ROWS: readonly Row<FrontSide>[] = [
  {
    name: `1 KiB PUT, ${AT_ONCE} at once`,
    run: ({ s3 }) => forSeconds(SECONDS, AT_ONCE, n => put(s3, `put/${n}`)),
  },
  {
    name: `1 KiB GET, ${AT_ONCE} at once`,
    run: ({ s3 }) =>
      forSeconds(SECONDS, AT_ONCE, async n => {
        const Key = `page/${n % PAGE}`;
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
        await Body?.transformToByteArray();
      }),
  },
  { name: `page of ${PAGE}`, run: ({ s3 }) => forSeconds(SECONDS, 1, () => page(s3)) },
  {
    name: '64 MiB in parts',
    can: ({ hasMultipart }) => hasMultipart,
    run: ({ s3 }) => forSeconds(SECONDS, 1, () => upload(s3)),
  },
];

const args = versusArguments();
const teardown = new Teardown();
try {
  const [one, other] = args.checkouts;
  const sides = [await start(teardown, one), await start(teardown, other)] as const;
  await compare(sides, ROWS, args);
} finally {
  await teardown.run();
}
