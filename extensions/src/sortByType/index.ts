/** sortByType: objects that arrive in configured buckets are moved into buckets by data type, or by owner. */
import type { Extension } from '../contract/extension.js';
import { validateSortByTypeConfig } from './config.js';
import { SortByTypePopulator } from './populator.js';
import { SortByTypeProcessor } from './processor.js';

export const sortByType: Extension = {
  name: 'sortByType',
  version: '1.0.0',
  configValidator: validateSortByTypeConfig,
  queuePopulatorExtension: SortByTypePopulator,
  queueProcessor: SortByTypeProcessor,
};
