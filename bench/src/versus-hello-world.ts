/**
 * helloWorld's processor of two checkouts beside each other: `node bench/dist/versus-hello-world.js THIS OTHER
 * [--turns N]`. Each has its own embedded queue, which is filled from here, and its own S3, which answers at
 * once: what is measured is the processor alone.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { silentLogger } from '@zenko-modules/common/logger';
import { listen } from '@zenko-modules/common/listen';
import { EmbeddedQueue } from '@zenko-modules/extensions/framework/queue/embedded/embedded-queue';
import type { Teardown } from './measure.js';
import { compare, type Row, type Side, startOf } from './versus/turns.js';

const TOPIC = 'backbeat-hello-world';
const TAGS = 2000;
/** As large as what CloudServer stores of a small object. */
const VALUE = JSON.stringify({ 'owner-id': 'x', 'content-length': 0, tags: {}, pad: 'x'.repeat(900) });
const NO_TAGS =
  '<?xml version="1.0" encoding="UTF-8"?><Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet></TagSet></Tagging>';

/** An endpoint at which no object has tags, and every tagging succeeds. */
class InstantS3 {
  port = 0;
  #tagged = 0;
  #awaited: { readonly count: number; readonly reached: () => void } | undefined;

  async start(teardown: Teardown): Promise<void> {
    const server = createServer((req, res) => {
      req.resume().on('end', () => {
        if (req.method === 'GET') {
          res.writeHead(200, { 'content-type': 'application/xml' }).end(NO_TAGS);
          return;
        }
        res.writeHead(200).end();
        this.#tagged += 1;
        if (this.#tagged === this.#awaited?.count) this.#awaited.reached();
      });
    });
    this.port = await listen(server, 'S3', 0, '127.0.0.1');
    teardown.after(() => {
      server.close();
      server.closeAllConnections();
    });
  }

  /** Resolves when so many more objects have been tagged. */
  next(count: number): Promise<void> {
    return new Promise(reached => (this.#awaited = { count: this.#tagged + count, reached }));
  }
}

interface HelloWorldSide extends Side {
  readonly queue: EmbeddedQueue;
  readonly s3: InstantS3;
}

/** Older checkouts have it one folder up. */
function entryOf(checkout: string): string {
  const entries = ['extensions/dist/commands/processor-main.js', 'extensions/dist/processor-main.js'];
  const found = entries.find(entry => existsSync(path.join(checkout, entry)));
  if (found === undefined) throw new Error(`${checkout} has no compiled processor`);
  return found;
}

async function start(teardown: Teardown, checkout: string): Promise<HelloWorldSide> {
  const s3 = new InstantS3();
  await s3.start(teardown);
  let folder = '';
  const env = (data: string) => {
    folder = path.join(data, 'extensions/queue');
    return { DATA_DIR: data, S3_PORT: String(s3.port), PROCESSOR_PROBE_PORT: '0', LOG_LEVEL: 'warn' };
  };
  const { pid } = await startOf(teardown, checkout, entryOf(checkout), env, ['helloWorld']);
  await mkdir(folder, { recursive: true });
  const queue = new EmbeddedQueue({ folder, segmentBytes: 64 * 2 ** 20, log: silentLogger() });
  teardown.after(() => queue.close());
  const side = { pid, queue, s3 };
  // What is compiled and connected once is not part of a tag's price.
  await tag(side);
  return side;
}

async function tag({ queue, s3 }: HelloWorldSide): Promise<number> {
  const done = s3.next(TAGS);
  const timestamp = new Date().toISOString();
  const messages = Array.from({ length: TAGS }, (_, i) => {
    const [bucket, key] = ['photos', `${i}/helloworld`];
    const entry = { type: 'put', bucket, key, value: VALUE, timestamp };
    return { key: encodeURIComponent(`${bucket}/${key}`), value: JSON.stringify(entry) };
  });
  await queue.publish(TOPIC, messages);
  await done;
  return TAGS;
}

const ROWS: readonly Row<HelloWorldSide>[] = [{ name: 'helloWorld, tags', run: tag }];

await compare(start, ROWS);
