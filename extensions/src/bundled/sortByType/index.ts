/** sortByType: objects that arrive in configured buckets are moved into buckets by data type, or by owner. */
import type { Extension } from '../../framework/contract/extension.js';
import { refuseCircle } from '../move/circles.js';
import { validateSortByTypeConfig } from './config.js';
import { SortByTypePopulator } from './populator.js';
import { SortByTypeProcessor } from './processor.js';

export const sortByType: Extension = {
  name: 'sortByType',
  version: '1.0.0',
  configValidator: (backbeatConfig, section) => {
    const config = validateSortByTypeConfig(backbeatConfig, section);
    refuseCircle(backbeatConfig);
    return config;
  },
  queuePopulatorExtension: SortByTypePopulator,
  queueProcessor: SortByTypeProcessor,
};
