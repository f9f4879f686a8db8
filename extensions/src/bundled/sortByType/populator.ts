import {
  type LogEntry,
  QueuePopulatorExtension,
} from '../../framework/contract/queue-populator-extension.js';
import { describeCreation, keyOfMove } from '../move/creations.js';
import type { SortByTypeConfig } from './config.js';

/** Publishes each object that is created in one of the configured buckets. */
export class SortByTypePopulator extends QueuePopulatorExtension<SortByTypeConfig> {
  filter(entry: LogEntry): void {
    const object = describeCreation(entry, this.extConfig.buckets);
    if (object) this.publish(this.extConfig.topic, keyOfMove(object), JSON.stringify(entry));
  }
}
