/** Both modules and the front as child processes on a folder of their own, and a client of AWS's SDK. */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { S3, type S3ClientConfig } from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { MetadataClient } from '../metadata-client.js';

export type Room = 'data-module' | 'metadata-module' | 's3-front';

const PORTS: Readonly<Record<Room, readonly string[]>> = {
  'data-module': ['DATA_PORT', 'DATA_PROBE_PORT'],
  'metadata-module': ['METADATA_PORT', 'METADATA_PROBE_PORT'],
  's3-front': ['S3_PORT', 'S3_PROBE_PORT'],
};

const OUTPUT_DEADLINE_MS = 20_000;

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
  /** Waits until a room has printed something like this, since it was started last. */
  readonly printed: (room: Room, pattern: RegExp) => Promise<void>;
  readonly kill: (room: Room, signal?: NodeJS.Signals) => Promise<void>;
  /** Sends a signal that does not end the process, such as SIGSTOP. */
  readonly signal: (room: Room, signal: NodeJS.Signals) => void;
  /** Lets a room go on that was stopped. */
  readonly resume: (room: Room) => Promise<void>;
  /** Starts a room that was killed, on the ports that it had; the front with these settings besides, from now on. */
  readonly restart: (room: Room, frontEnv?: Environment) => Promise<void>;
}

function entry(room: Room): string {
  return fileURLToPath(new URL(`../../../${room}/dist/main.js`, import.meta.url));
}

type Environment = Readonly<Record<string, string>>;

/** @param frontEnv settings of the front, which may depend on the ports of the modules, known by then */
export async function startStack(
  t: Pick<TestContext, 'after'>,
  frontEnv: Environment | ((port: (name: string) => number) => Promise<Environment>) = {},
): Promise<S3Stack> {
  const folder = await temporaryFolder(t);
  const running = new Map<Room, DaemonProcess>();
  const ports: Record<string, number> = {};
  let ownEnv: Environment = {};
  const start = async (room: Room): Promise<DaemonProcess> => {
    const env: Record<string, string> = { DATA_DIR: folder, LOG_LEVEL: 'info' };
    // One process, so that a signal concerns all of it; and it logs successes.
    if (room === 'data-module') Object.assign(env, { DATA_WORKERS: '1', LOG_LEVEL: 'debug' });
    for (const name of [...PORTS[room], 'DATA_PORT', 'METADATA_PORT']) env[name] = String(ports[name] ?? 0);
    const daemon = await startDaemon(t, {
      entry: entry(room),
      env: room === 's3-front' ? { ...env, ...ownEnv } : env,
    });
    Object.assign(ports, daemon.ports);
    running.set(room, daemon);
    return daemon;
  };
  const port = (name: string): number => ports[name] ?? 0;
  await Promise.all([start('data-module'), start('metadata-module')]);
  ownEnv = typeof frontEnv === 'function' ? await frontEnv(port) : frontEnv;
  const front = await start('s3-front');
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
  const signal = (room: Room, name: NodeJS.Signals): void => {
    const pid = running.get(room)?.pid;
    if (pid === undefined) throw new Error(`${room} does not run`);
    process.kill(pid, name);
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
    printed: async (room, pattern) => {
      const deadline = Date.now() + OUTPUT_DEADLINE_MS;
      for (;;) {
        const output = running.get(room)?.output() ?? '';
        if (pattern.test(output)) return;
        if (Date.now() > deadline)
          throw new Error(`${room} printed nothing like ${pattern.source}:\n${output}`);
        await sleep(50);
      }
    },
    kill: async (room, signal = 'SIGKILL') => {
      await running.get(room)?.kill(signal);
    },
    signal,
    resume: room => {
      signal(room, 'SIGCONT');
      return Promise.resolve();
    },
    restart: async (room, more = {}) => {
      ownEnv = { ...ownEnv, ...more };
      await start(room);
    },
  };
}
