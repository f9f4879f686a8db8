/**
 * s3-front of two checkouts beside each other, through the AWS SDK, and through `wrk` with presigned URLs: `node bench/dist/s3.js THIS OTHER [--turns N]
 * [--only ROW]`. The SDK takes more processor time for a request than the servers do, so that its rates say
 * little of them where the cores are few; wrk takes next to none. Each has modules of its own, from its own checkout. A row that one of the two cannot do is `n/a`.
 */
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MiB, type Teardown } from './measure.js';
import { AT_ONCE, Bucket, connection, get, PAGE, page, put } from './s3-operations.js';
import { compare, forSeconds, type Row, type Side, startOf } from './versus/turns.js';
import { wrk } from './versus/wrk.js';

const SECONDS = 3;
/** How long a presigned URL holds. */
const LONG = { expiresIn: 6 * 3600 };
const LARGE = Buffer.alloc(64 * MiB, 'x');

interface FrontSide extends Side {
  readonly s3: S3Client;
  readonly hasMultipart: boolean;
  readonly url: string;
  /** Files with what wrk asks for. */
  readonly targets: Readonly<Record<'put' | 'get' | 'page', string>>;
}

async function start(teardown: Teardown, checkout: string): Promise<FrontSide> {
  const quiet = { LOG_LEVEL: 'warn' };
  let targetFolder = '';
  const data = await startOf(teardown, checkout, 'data-module/dist/main.js', folder => ({
    ...quiet,
    DATA_DIR: folder,
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
  }));
  const metadata = await startOf(teardown, checkout, 'metadata-module/dist/main.js', folder => {
    targetFolder = folder;
    return { ...quiet, DATA_DIR: folder, METADATA_PORT: '0', METADATA_PROBE_PORT: '0' };
  });
  const front = await startOf(teardown, checkout, 's3-front/dist/main.js', () => ({
    ...quiet,
    DATA_PORT: String(data.ports.DATA_PORT),
    METADATA_PORT: String(metadata.ports.METADATA_PORT),
    S3_PORT: '0',
    S3_PROBE_PORT: '0',
  }));
  const url = `http://127.0.0.1:${front.ports.S3_PORT ?? 0}`;
  const s3 = new S3Client(connection(url));
  teardown.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket }));
  let filled = 0;
  const fill = async (): Promise<void> => {
    while (filled < PAGE) await put(s3, `page/${filled++}`);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fill));
  // A URL that is signed before its body is known holds no checksum.
  const signer = new S3Client({ ...connection(url), requestChecksumCalculation: 'WHEN_REQUIRED' });
  const names = Array.from({ length: PAGE }, (_, index) => index);
  const signed = {
    put: names.map(n => getSignedUrl(signer, new PutObjectCommand({ Bucket, Key: `wrk/${n}` }), LONG)),
    get: names.map(n => getSignedUrl(signer, new GetObjectCommand({ Bucket, Key: `page/${n}` }), LONG)),
    page: [getSignedUrl(signer, new ListObjectsV2Command({ Bucket, Prefix: 'page/' }), LONG)],
  };
  const targets = { put: '', get: '', page: '' };
  for (const name of ['put', 'get', 'page'] as const) {
    targets[name] = path.join(targetFolder, `targets-${name}`);
    const paths = (await Promise.all(signed[name])).map(each => `${each.slice(url.length)}\n`);
    await writeFile(targets[name], paths.join(''));
  }
  return {
    pid: front.pid,
    others: [data.pid, metadata.pid],
    s3,
    url,
    targets,
    hasMultipart: await canUploadInParts(s3),
  };
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

const ROWS: readonly Row<FrontSide>[] = [
  {
    name: `1 KiB PUT, ${AT_ONCE} at once`,
    run: ({ s3 }) => forSeconds(SECONDS, AT_ONCE, n => put(s3, `put/${n}`)),
  },
  {
    name: `1 KiB GET, ${AT_ONCE} at once`,
    run: ({ s3 }) => forSeconds(SECONDS, AT_ONCE, n => get(s3, n)),
  },
  { name: `page of ${PAGE}`, run: ({ s3 }) => forSeconds(SECONDS, 1, () => page(s3)) },
  {
    name: '1 KiB PUT, presigned, by wrk',
    run: ({ url, targets }) => wrk(url, 'put', AT_ONCE, { BENCH_TARGETS: targets.put, BENCH_SIZE: '1024' }),
  },
  {
    name: '1 KiB GET, presigned, by wrk',
    run: ({ url, targets }) => wrk(url, 'get', AT_ONCE, { BENCH_TARGETS: targets.get }),
  },
  {
    name: `page of ${PAGE}, presigned, by wrk`,
    run: ({ url, targets }) => wrk(url, 'get', AT_ONCE, { BENCH_TARGETS: targets.page }),
  },
  {
    name: '64 MiB in parts',
    can: ({ hasMultipart }) => hasMultipart,
    run: ({ s3 }) => forSeconds(SECONDS, 1, () => upload(s3)),
  },
];

await compare(start, ROWS);
