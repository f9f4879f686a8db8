/**
 * A process that works on an embedded queue until it is killed, for the crash test:
 * `node queue-process.js <folder> publish <key> <first number>` publishes numbered messages and prints each number once
 * it is acknowledged; `node queue-process.js <folder> consume` prints what it is given, as `<key> <number>`.
 */
import { silentLogger } from '@zenko-modules/common/logger';
import { EmbeddedQueue } from '../framework/queue/embedded/embedded-queue.js';

export const CRASH_TOPIC = 'crash';
export const CRASH_GROUP = 'group';

const [folder = '', work, key = '', first = '0'] = process.argv.slice(2);

// Small segments, so that a new one is begun all the time.
const queue = (): EmbeddedQueue => new EmbeddedQueue({ folder, segmentBytes: 2000, log: silentLogger() });

async function publish(): Promise<void> {
  const publisher = queue();
  for (let number = Number(first); ; number += 1) {
    await publisher.publish(CRASH_TOPIC, [{ key, value: String(number) }]);
    process.stdout.write(`${number}\n`);
  }
}

async function consume(): Promise<void> {
  await queue().consume({
    topic: CRASH_TOPIC,
    group: CRASH_GROUP,
    concurrency: 4,
    handle: message => {
      process.stdout.write(`${message.key} ${message.value}\n`);
      return Promise.resolve();
    },
  });
}

if (work === 'publish') await publish();
if (work === 'consume') await consume();
