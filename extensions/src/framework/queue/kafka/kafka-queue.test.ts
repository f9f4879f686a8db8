import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { eventually } from '../../../testing/eventually.js';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { queueContract } from '../../../testing/queue-contract/queue-contract.js';
import { openSharedQueue } from '../../../testing/shared-kafka.js';
import type { Queue } from '../queue.js';

const open = (t: TestContext): Promise<Queue> => openSharedQueue(t, 3);

queueContract('Kafka', { open, skip: kafkaMissing });

test(
  'what a publish has for the brokers in several requests stops at the one before which it is fenced off',
  { skip: kafkaMissing },
  async t => {
    const queue = await open(t);
    const messages = ['a', 'b', 'c'].map(letter => ({ key: 'k', value: letter.repeat(400 * 1024) }));
    let asked = 0;
    const fence = (): Promise<void> =>
      ++asked < 3 ? Promise.resolve() : Promise.reject(new Error('another one works'));
    await assert.rejects(queue.publish('fenced', messages, { fence }), { code: 'UNAVAILABLE' });
    assert.equal(await queue.backlog('fenced', 'g'), 2);
  },
);

test(
  'a session time-out that the brokers refuse is named, and the consumer does not count as ready',
  { skip: kafkaMissing },
  async t => {
    const queue = await openSharedQueue(t, 3, { KAFKA_SESSION_TIMEOUT_MS: '3000' });
    const handle = (): Promise<void> => Promise.resolve();
    await queue.consume({ topic: 'short', group: 'g', concurrency: 1, handle });
    const isRefused = async (): Promise<boolean> => {
      const found: unknown = await queue.ready().catch((err: unknown) => err);
      return found instanceof Error && /session timeout/.test(found.message);
    };
    await eventually(isRefused, 'it says so');
  },
);
