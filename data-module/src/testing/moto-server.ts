/** moto's server, an S3 that is not ours, for tests: the one that MOTO_SERVER names, else `moto_server` in PATH. */
import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import {
  findInPath,
  freePort,
  skipReason,
  startTestServer,
  type TestServer,
} from '@zenko-modules/common/testing/test-server';
import { S3 } from '@aws-sdk/client-s3';

/** The port of an S3 that is there already, which the shared one's tests take instead: `test/ceph/one-node.sh` starts a Ceph. */
const OTHER_PORT = process.env.S3_TEST_SERVER;
const PROGRAM = process.env.MOTO_SERVER || findInPath('moto_server');
const REASON = 'needs MOTO_SERVER, or moto_server in PATH (pip install moto[server])';

/** Why tests that need it cannot run here, as node:test's `skip` takes it; `false` when they can, or must. */
export const motoMissing: string | false = skipReason(PROGRAM !== undefined, REASON);

/** Some accept any; these are moto's own. */
export const S3_TEST_KEYS = { accessKeyId: 'testing', secretAccessKey: 'testing' } as const;

/** A server of the test's own. What it holds ends with it. */
export async function startMoto(t: Pick<TestContext, 'after'>, port?: number): Promise<TestServer> {
  if (PROGRAM === undefined) throw new Error(REASON);
  const chosen = port ?? (await freePort());
  return startTestServer(t, {
    program: PROGRAM,
    args: ['-H', '127.0.0.1', '-p', String(chosen)],
    port: chosen,
    // Parts may be as small as tests like them.
    env: { S3_UPLOAD_PART_MIN_SIZE: '1024' },
  });
}

let shared: Promise<Pick<TestServer, 'port'>> | undefined;
const cleanups: (() => unknown)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

/** The server of this test file, started by the first test that needs it. */
export function sharedMoto(): Promise<Pick<TestServer, 'port'>> {
  if (OTHER_PORT !== undefined) return Promise.resolve({ port: Number(OTHER_PORT) });
  return (shared ??= startMoto({ after: cleanup => void cleanups.push(cleanup as () => unknown) }));
}

/** A look into a server, past the store. */
export interface BucketView {
  readonly s3: S3;
  readonly bucket: string;
  readonly endpoint: string;
  /** The names of all objects. */
  readonly objects: () => Promise<string[]>;
  readonly uploads: () => Promise<number>;
  /** Objects and multipart uploads together. */
  readonly count: () => Promise<number>;
}

/** A new bucket on the S3 that listens at `port`. */
export async function newBucket(
  t: Pick<TestContext, 'after'>,
  port: number,
  credentials = S3_TEST_KEYS as { accessKeyId: string; secretAccessKey: string },
): Promise<BucketView> {
  const endpoint = `http://127.0.0.1:${port}`;
  const s3 = new S3({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  t.after(() => s3.destroy());
  const bucket = `blobs-${randomUUID()}`;
  await s3.createBucket({ Bucket: bucket });
  const objects = async (): Promise<string[]> => {
    const names: string[] = [];
    for (let token: string | undefined, more = true; more;) {
      const page = await s3.listObjectsV2({ Bucket: bucket, ContinuationToken: token });
      names.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
      token = page.NextContinuationToken;
      more = token !== undefined;
    }
    return names;
  };
  const uploads = async (): Promise<number> =>
    (await s3.listMultipartUploads({ Bucket: bucket })).Uploads?.length ?? 0;
  const count = async (): Promise<number> => (await objects()).length + (await uploads());
  return { s3, bucket, endpoint, objects, uploads, count };
}
