/** The one broker of a test file: of its own where one can be started, else that of KAFKA_TEST_HOSTS. */
import { after, type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { QUEUE_SETTINGS } from '../framework/extension-settings.js';
import { openQueue } from '../framework/queue/open-queue.js';
import type { Queue } from '../framework/queue/queue.js';
import { canStartKafka, type KafkaBroker, KAFKA_TEST_HOSTS, startKafka } from './kafka-broker.js';

/** Settings under which the dead are waited for no longer than brokers allow at the least. */
export const SOON_DEAD = { KAFKA_SESSION_TIMEOUT_MS: '6000' } as const;

let shared: Promise<KafkaBroker> | undefined;
const cleanUps: (() => Promise<void>)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

/** Started by the first test that asks for it; it ends with the file. */
export function sharedKafka(): Promise<KafkaBroker> {
  if (!canStartKafka && KAFKA_TEST_HOSTS !== undefined) {
    const cannot = (): Promise<void> =>
      Promise.reject(new Error('the broker of KAFKA_TEST_HOSTS is not ours'));
    return Promise.resolve({ hosts: KAFKA_TEST_HOSTS, stop: cannot, start: cannot });
  }
  return (shared ??= startKafka({ after: cleanUp => void cleanUps.push(cleanUp) }));
}

/** A queue on it, whose topics have so many partitions, with these settings besides; closed when the test ends. */
export async function openSharedQueue(
  t: Pick<TestContext, 'after'>,
  partitions: number,
  more: Readonly<Record<string, string>> = {},
): Promise<Queue> {
  const { hosts } = await sharedKafka();
  const env = { KAFKA_HOSTS: hosts, KAFKA_TOPIC_PARTITIONS: String(partitions), ...more };
  const settings = readSettings(QUEUE_SETTINGS, env);
  const queue = await openQueue(settings, settings.KAFKA_HOSTS, silentLogger());
  t.after(() => queue.close());
  return queue;
}
