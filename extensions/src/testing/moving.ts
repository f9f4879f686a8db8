/** Moves for tests, through an S3 endpoint of their choice. */
import type { HeadObjectCommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { silentLogger } from '@zenko-modules/common/logger';
import { ObjectMover } from '../bundled/move/move-object.js';
import { createS3Client } from '../framework/s3/s3-client.js';
import { CREDENTIALS } from './stack.js';

export function testS3Client(port: number, overrides?: S3ClientConfig): S3Client {
  const credentials = { source: 'test', current: () => Promise.resolve(CREDENTIALS) };
  return createS3Client({ endpoint: `http://127.0.0.1:${port}`, credentials }, overrides);
}

export interface Mover {
  /** Moves what is there when it is called, under its key. */
  readonly move: (key: string, overwrite?: boolean) => Promise<void>;
  readonly look: (key: string) => Promise<HeadObjectCommandOutput>;
}

/** @param prepare is given each client before it is used */
export function moverThrough(
  port: number,
  from: string,
  to: string,
  prepare: (client: S3Client) => void = () => undefined,
): Mover {
  const prepared = (overrides?: S3ClientConfig): S3Client => {
    const client = testS3Client(port, overrides);
    prepare(client);
    return client;
  };
  const mover = new ObjectMover(prepared, silentLogger());
  const signal = AbortSignal.timeout(60_000);
  const look = (Key: string): Promise<HeadObjectCommandOutput> => mover.look({ Bucket: from, Key }, signal);
  return {
    look,
    move: async (Key, overwrite = false) => {
      const [source, target] = [
        { Bucket: from, Key },
        { Bucket: to, Key },
      ];
      await mover.move({ source, original: await look(Key), target, overwrite }, signal);
    },
  };
}
