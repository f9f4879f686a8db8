import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { QUEUE_SETTINGS } from '../../extension-settings.js';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { queueContract } from '../../../testing/queue-contract/queue-contract.js';
import { sharedKafka } from '../../../testing/shared-kafka.js';
import { openQueue } from '../open-queue.js';
import type { Queue } from '../queue.js';

async function open(): Promise<Queue> {
  const { hosts } = await sharedKafka();
  const settings = readSettings(QUEUE_SETTINGS, { KAFKA_HOSTS: hosts, KAFKA_TOPIC_PARTITIONS: '3' });
  return openQueue(settings, settings.KAFKA_HOSTS, silentLogger());
}

queueContract('Kafka', { open, skip: kafkaMissing });

test(
  'what a publish has for the brokers in several requests stops at the one before which it is fenced off',
  { skip: kafkaMissing },
  async t => {
    const queue = await open();
    t.after(() => queue.close());
    const messages = ['a', 'b', 'c'].map(letter => ({ key: 'k', value: letter.repeat(400 * 1024) }));
    let asked = 0;
    const fence = (): Promise<void> =>
      ++asked < 3 ? Promise.resolve() : Promise.reject(new Error('another one works'));
    await assert.rejects(queue.publish('fenced', messages, { fence }), { code: 'UNAVAILABLE' });
    assert.equal(await queue.backlog('fenced', 'g'), 2);
  },
);
