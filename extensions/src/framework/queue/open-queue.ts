/** The queue that the settings choose. */
import path from 'node:path';
import { openPartFolder } from '@zenko-modules/common/data-folder';
import type { Logger } from '@zenko-modules/common/logger';
import type { HostAndPort } from '@zenko-modules/common/settings';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import type { QueueSettings } from '../extension-settings.js';
import { EmbeddedQueue } from './embedded/embedded-queue.js';
import { KafkaQueue } from './kafka/kafka-queue.js';
import { kafkaOptions, refuseWithoutBrokers } from './kafka/kafka-settings.js';
import type { Queue } from './queue.js';

/** Where the queue is, for the log. */
export function queuePlace(settings: QueueSettings, kafkaHosts: readonly HostAndPort[] | undefined): unknown {
  return kafkaHosts?.map(({ host, port }) => `${host}:${port}`) ?? queueFolder(settings);
}

function queueFolder({ DATA_DIR }: QueueSettings): string {
  return path.resolve(DATA_DIR, 'extensions', 'queue');
}

/** @throws StartError when a setting or the folder is not usable. */
export async function openQueue(
  settings: QueueSettings,
  kafkaHosts: readonly HostAndPort[] | undefined,
  log: Logger,
): Promise<Queue> {
  if (kafkaHosts) return new KafkaQueue(kafkaOptions(settings, kafkaHosts), log);
  refuseWithoutBrokers(settings);
  const folder = path.join(await openPartFolder(settings.DATA_DIR, 'extensions'), 'queue');
  await makeFolder(folder);
  return new EmbeddedQueue({ folder, segmentBytes: settings.QUEUE_SEGMENT_BYTES, log });
}
