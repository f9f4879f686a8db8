/** The modules, an S3 endpoint, populators and processors as processes of a test, with a client for each. */
import {
  CreateBucketCommand,
  GetObjectTaggingCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from '@aws-sdk/client-s3';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { freePort } from '@zenko-modules/common/testing/test-server';

type Owner = Pick<TestContext, 'after'>;
type Env = Readonly<Record<string, string>>;

const built = (file: string): string => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
export const POPULATOR_MAIN = built('extensions/dist/commands/populator-main.js');
export const PROCESSOR_MAIN = built('extensions/dist/commands/processor-main.js');

export const CREDENTIALS = { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' };

/** A metadata module on a fixed port, so that it may be restarted under its clients. */
export interface MetadataProcess {
  readonly port: number;
  readonly rpc: RpcClient;
  readonly recordLog: RpcClient;
  readonly kill: (signal?: NodeJS.Signals) => Promise<unknown>;
  readonly start: () => Promise<void>;
}

export async function startMetadata(t: Owner, dataDir: string, env: Env = {}): Promise<MetadataProcess> {
  const port = await freePort();
  let daemon: DaemonProcess;
  const start = async (): Promise<void> => {
    daemon = await startDaemon(t, {
      entry: built('metadata-module/dist/main.js'),
      env: {
        DATA_DIR: dataDir,
        METADATA_PORT: String(port),
        METADATA_PROBE_PORT: '0',
        LOG_LEVEL: 'warn',
        ...env,
      },
    });
  };
  await start();
  const url = `http://127.0.0.1:${port}`;
  const rpc = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  const recordLog = new RpcClient({ url, namespace: RECORD_LOG_NAMESPACE });
  t.after(() => {
    rpc.close();
    recordLog.close();
  });
  return { port, rpc, recordLog, start, kill: signal => daemon.kill(signal) };
}

export function startPopulator(
  t: Owner,
  dataDir: string,
  metadataPort: number,
  env: Env = {},
): Promise<DaemonProcess> {
  return startDaemon(t, {
    entry: POPULATOR_MAIN,
    env: { DATA_DIR: dataDir, METADATA_PORT: String(metadataPort), POPULATOR_PROBE_PORT: '0', ...env },
  });
}

export function startProcessor(
  t: Owner,
  dataDir: string,
  name: string,
  env: Env = {},
): Promise<DaemonProcess> {
  return startDaemon(t, {
    entry: PROCESSOR_MAIN,
    args: [name],
    env: { DATA_DIR: dataDir, PROCESSOR_PROBE_PORT: '0', ...env },
  });
}

export interface Stack {
  readonly metadata: MetadataProcess;
  readonly s3: S3Client;
  readonly s3Port: number;
  readonly killFront: (signal?: NodeJS.Signals) => Promise<unknown>;
  /** Starts the front again on the same port. */
  readonly startFront: () => Promise<void>;
}

/** Both modules and s3-front, without populator and processors. */
export async function startStack(t: Owner, dataDir: string, metadataEnv: Env = {}): Promise<Stack> {
  const metadata = await startMetadata(t, dataDir, metadataEnv);
  const data = await startDaemon(t, {
    entry: built('data-module/dist/main.js'),
    env: { DATA_DIR: dataDir, DATA_PORT: '0', DATA_PROBE_PORT: '0', LOG_LEVEL: 'warn' },
  });
  const s3Port = await freePort();
  let front: DaemonProcess;
  const startFront = async (): Promise<void> => {
    front = await startDaemon(t, {
      entry: built('s3-front/dist/main.js'),
      env: {
        S3_PORT: String(s3Port),
        S3_PROBE_PORT: '0',
        DATA_PORT: String(data.ports.DATA_PORT),
        METADATA_PORT: String(metadata.port),
        LOG_LEVEL: 'warn',
      },
    });
  };
  await startFront();
  const s3 = new S3Client({
    endpoint: `http://127.0.0.1:${s3Port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: CREDENTIALS,
  });
  t.after(() => s3.destroy());
  return { metadata, s3, s3Port, startFront, killFront: signal => front.kill(signal) };
}

export async function createBucket(s3: S3Client, Bucket: string): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket }));
}

export async function putObject(
  s3: S3Client,
  Bucket: string,
  Key: string,
  more: Partial<PutObjectCommandInput> = {},
): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'content', ...more }));
}

export async function tagsOf(s3: S3Client, Bucket: string, Key: string): Promise<Record<string, string>> {
  const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket, Key }));
  return Object.fromEntries(TagSet.map(({ Key: name = '', Value = '' }) => [name, Value]));
}

/** Writes an object's metadata as CloudServer does, without content: much faster than through S3. */
export async function putEntry(
  { rpc }: MetadataProcess,
  bucket: string,
  key: string,
  value: Record<string, unknown> | string = {},
  options: Record<string, unknown> = {},
): Promise<void> {
  const text =
    typeof value === 'string' ? value : JSON.stringify({ key, 'content-length': 0, tags: {}, ...value });
  await rpc.call('put', { rpcArgs: [key, text, options], subLevel: [bucket] });
}
