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
