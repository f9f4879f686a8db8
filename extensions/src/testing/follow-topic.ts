/** What is in a topic of a queue on files, from its beginning and as it grows. */
import { mkdir } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { EmbeddedQueue } from '../framework/queue/embedded/embedded-queue.js';

/** @param folder that of the queue, which is made when it is missing. */
export async function followTopic<T>(
  t: Pick<TestContext, 'after'>,
  folder: string,
  topic: string,
  read: (value: string) => T,
  group = 'test',
): Promise<T[]> {
  await mkdir(folder, { recursive: true });
  const queue = new EmbeddedQueue({ folder, segmentBytes: 1024 ** 2, log: silentLogger() });
  t.after(() => queue.close());
  const found: T[] = [];
  const handle = ({ value }: { readonly value: string }): Promise<void> =>
    Promise.resolve(void found.push(read(value)));
  await queue.consume({ topic, group, concurrency: 1, handle });
  return found;
}
