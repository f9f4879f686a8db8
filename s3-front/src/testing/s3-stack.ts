/** Both modules and the front as child processes on a folder of their own, and a client of AWS's SDK. */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { S3, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { MetadataClient } from '../metadata-client.js';

export type Room = 'data-module' | 'metadata-module' | 's3-front';

const PORTS: Readonly<Record<Room, readonly string[]>> = {
  'data-module': ['DATA_PORT', 'DATA_PROBE_PORT'],
  'metadata-module': ['METADATA_PORT', 'METADATA_PROBE_PORT'],
  's3-front': ['S3_PORT', 'S3_PROBE_PORT'],
};

export const CREDENTIALS = { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' } as const;

export interface S3Stack {
  readonly folder: string;
  readonly url: string;
  readonly front: DaemonProcess;
  readonly s3: S3;
  /** A client with settings of its own. */
  readonly client: (config: S3ClientConfig) => S3;
  /** What CloudServer would see. */
  readonly metadata: MetadataClient;
  readonly port: (name: string) => number;
  readonly kill: (room: Room, signal?: NodeJS.Signals) => Promise<void>;
  /** Sends a signal that does not end the process, such as SIGSTOP. */
  readonly signal: (room: Room, signal: NodeJS.Signals) => void;
  /** Starts a room that was killed, on the ports that it had. */
  readonly restart: (room: Room) => Promise<void>;
}

function entry(room: Room): string {
  return fileURLToPath(new URL(`../../../${room}/dist/main.js`, import.meta.url));
}

export async function startStack(
  t: Pick<TestContext, 'after'>,
  frontEnv: Readonly<Record<string, string>> = {},
): Promise<S3Stack> {
  const folder = await temporaryFolder(t);
  const running = new Map<Room, DaemonProcess>();
  const ports: Record<string, number> = {};
  const start = async (room: Room): Promise<DaemonProcess> => {
    const env: Record<string, string> = { DATA_DIR: folder, LOG_LEVEL: 'info' };
    for (const name of [...PORTS[room], 'DATA_PORT', 'METADATA_PORT']) env[name] = String(ports[name] ?? 0);
    const daemon = await startDaemon(t, {
      entry: entry(room),
      env: room === 's3-front' ? { ...env, ...frontEnv } : env,
    });
    Object.assign(ports, daemon.ports);
    running.set(room, daemon);
    return daemon;
  };
  await Promise.all([start('data-module'), start('metadata-module')]);
  const front = await start('s3-front');
  const port = (name: string): number => ports[name] ?? 0;
  const url = `http://127.0.0.1:${port('S3_PORT')}`;
  const client = (config: S3ClientConfig): S3 => {
    const made = new S3({
      endpoint: url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: CREDENTIALS,
      maxAttempts: 1,
      ...config,
    });
    t.after(() => made.destroy());
    return made;
  };
  const metadata = new MetadataClient({
    host: '127.0.0.1',
    port: port('METADATA_PORT'),
    callTimeoutMs: 10_000,
  });
  t.after(() => metadata.close());
  return {
    folder,
    url,
    front,
    s3: client({}),
    client,
    metadata,
    port,
    kill: async (room, signal = 'SIGKILL') => void (await running.get(room)?.kill(signal)),
    signal: (room, signal) => void process.kill(running.get(room)?.pid ?? 0, signal),
    restart: async room => void (await start(room)),
  };
}
