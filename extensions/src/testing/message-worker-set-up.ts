/** A message worker on a queue of its own, for tests. */
import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { LastHandled } from '@zenko-modules/common/status/handled';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { createProcessorMetrics } from '../framework/extension-metrics.js';
import { MessageWorker } from '../framework/processor/message-worker.js';
import { EmbeddedQueue } from '../framework/queue/embedded/embedded-queue.js';
import type { Message, ReceivedMessage } from '../framework/queue/queue.js';
import type { S3State } from '../framework/s3/ask-s3.js';
import { eventually } from './eventually.js';

interface Setup {
  readonly queue: EmbeddedQueue;
  readonly worker: MessageWorker;
  readonly parked: ReceivedMessage[];
  readonly handled: LastHandled;
  readonly send: (...messages: Message[]) => Promise<void>;
}

interface Options {
  /** What S3 says when it is asked. */
  readonly s3?: S3State | (() => S3State);
  readonly timeoutMs?: number;
  readonly finishMs?: number;
}

export const failWith = (name: string, more: object = {}): Error =>
  Object.assign(new Error(name), { name, ...more });
export const message = (key: string): Message => ({
  key,
  value: `value of ${key}`,
  headers: { own: 'header' },
});

/** A processor that consumes `topic` with `work`, and what gets parked in `topic-failed`. */
export async function startWorker(
  t: TestContext,
  work: (message: ReceivedMessage, signal: AbortSignal) => Promise<unknown>,
  { s3 = 'well', timeoutMs = 60_000, finishMs = 50 }: Options = {},
): Promise<Setup> {
  const queue = new EmbeddedQueue({
    folder: await temporaryFolder(t),
    segmentBytes: 1024 ** 2,
    log: silentLogger(),
  });
  t.after(() => queue.close());
  const handled = new LastHandled();
  const worker = new MessageWorker({
    extension: 'own',
    processor: { processEntry: work },
    queue,
    retry: { maxAttempts: 3, minPauseMs: 1, maxPauseMs: 8 },
    limits: { timeoutMs, finishMs },
    askS3: () => Promise.resolve(typeof s3 === 'string' ? s3 : s3()),
    handled,
    metrics: createProcessorMetrics(new Registry()),
    log: silentLogger(),
  });
  await queue.consume({
    topic: 'topic',
    group: 'g',
    concurrency: 4,
    handle: (found, signal) => worker.work(found, signal),
  });
  const parked: ReceivedMessage[] = [];
  await queue.consume({
    topic: 'topic-failed',
    group: 'look',
    concurrency: 1,
    handle: found => Promise.resolve(void parked.push(found)),
  });
  return { queue, worker, parked, handled, send: (...messages) => queue.publish('topic', messages) };
}

export async function allDone(queue: EmbeddedQueue): Promise<void> {
  await eventually(
    async () => (await queue.progress('topic', 'g')).every(({ finished }) => finished),
    'all is done',
  );
}
