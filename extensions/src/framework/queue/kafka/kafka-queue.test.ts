import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
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
