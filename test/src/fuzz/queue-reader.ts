/** A process that prints what an embedded queue gives: `node queue-reader.js <folder> <topic>`. Its log goes the same way. */
import { createLogger } from '@zenko-modules/common/logger';
import { messageOf } from '@zenko-modules/common/errors';
import { EmbeddedQueue } from '@zenko-modules/extensions/framework/queue/embedded/embedded-queue';

const [folder = '', topic = ''] = process.argv.slice(2);
const queue = new EmbeddedQueue({ folder, segmentBytes: 2000, log: createLogger('queue-reader', 'warn') });
try {
  await queue.consume({
    topic,
    group: 'group',
    concurrency: 1,
    handle: ({ key, value }) => {
      process.stdout.write(`message ${JSON.stringify([key, value])}\n`);
      return Promise.resolve();
    },
  });
  process.send?.({ event: 'listening', ports: {} });
} catch (err) {
  process.stderr.write(`${messageOf(err)}\n`, () => process.exit(1));
}
