/** The queue that the settings choose. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { openPartFolder } from '@zenko-modules/common/data-folder';
import type { Logger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';
import type { HostAndPort } from '@zenko-modules/common/settings';
import type { QueueSettings } from '../extension-settings.js';
import { EmbeddedQueue } from './embedded/embedded-queue.js';
import type { Queue } from './queue.js';

/** @throws StartError when a setting or the folder is not usable. */
export async function openQueue(
  settings: QueueSettings,
  kafkaHosts: readonly HostAndPort[] | undefined,
  log: Logger,
): Promise<Queue> {
  if (kafkaHosts) throw new StartError('KAFKA_HOSTS: there is no Kafka transport in this version');
  const folder = path.join(await openPartFolder(settings.DATA_DIR, 'extensions'), 'queue');
  await mkdir(folder, { recursive: true });
  return new EmbeddedQueue({ folder, segmentBytes: settings.QUEUE_SEGMENT_BYTES, log });
}
