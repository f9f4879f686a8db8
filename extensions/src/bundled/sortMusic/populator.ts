import {
  type LogEntry,
  QueuePopulatorExtension,
} from '../../framework/contract/queue-populator-extension.js';
import { describeCreation, keyOfMove } from '../move/creations.js';
import type { SortMusicConfig } from './config.js';
import { isMusic } from './music-file.js';

/** Publishes each music file that is created in one of the configured buckets, under the configured prefix. */
export class SortMusicPopulator extends QueuePopulatorExtension<SortMusicConfig> {
  filter(entry: LogEntry): void {
    const { buckets, fromPrefix, topic } = this.extConfig;
    const object = describeCreation(entry, buckets);
    if (!object?.objectKey.startsWith(fromPrefix)) return;
    if (!isMusic(object.objectKey, object.value['content-type'])) return;
    this.publish(topic, keyOfMove(object), JSON.stringify(entry));
  }
}
