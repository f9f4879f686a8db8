/** sortByType: objects that arrive in configured buckets are moved into buckets by data type, or by owner. */
import type { Extension } from '../../framework/contract/extension.js';
import type { Mover } from '../move/routes.js';
import { sortByTypeSchema, sortByTypeReaches, validateSortByTypeConfig } from './config.js';
import { SortByTypePopulator } from './populator.js';
import { SortByTypeProcessor } from './processor.js';

export const sortByType: Extension & Mover = {
  name: 'sortByType',
  version: '1.0.0',
  configValidator: validateSortByTypeConfig,
  configFields: Object.keys(sortByTypeSchema.shape),
  queuePopulatorExtension: SortByTypePopulator,
  queueProcessor: SortByTypeProcessor,
  route: section => {
    const { data } = sortByTypeSchema.safeParse(section);
    return data && { from: data.buckets, reaches: bucket => sortByTypeReaches(data, bucket) };
  },
};
