/** sortMusic: music files that arrive in configured buckets are moved into buckets or prefixes by artist. */
import type { Extension } from '../../framework/contract/extension.js';
import type { Mover } from '../move/routes.js';
import { sortMusicSchema, sortMusicReaches, validateSortMusicConfig } from './config.js';
import { SortMusicPopulator } from './populator.js';
import { SortMusicProcessor } from './processor.js';

export const sortMusic: Extension & Mover = {
  name: 'sortMusic',
  version: '1.0.0',
  configValidator: validateSortMusicConfig,
  configFields: Object.keys(sortMusicSchema.shape),
  queuePopulatorExtension: SortMusicPopulator,
  queueProcessor: SortMusicProcessor,
  route: section => {
    const { data } = sortMusicSchema.safeParse(section);
    return data && { from: data.buckets, reaches: bucket => sortMusicReaches(data, bucket) };
  },
};
