/** sortMusic: music files that arrive in configured buckets are moved into buckets or prefixes by artist. */
import type { Extension } from '../../framework/contract/extension.js';
import { refuseCircle } from '../move/circles.js';
import { validateSortMusicConfig } from './config.js';
import { SortMusicPopulator } from './populator.js';
import { SortMusicProcessor } from './processor.js';

export const sortMusic: Extension = {
  name: 'sortMusic',
  version: '1.0.0',
  configValidator: (backbeatConfig, section) => {
    const config = validateSortMusicConfig(backbeatConfig, section);
    refuseCircle(backbeatConfig);
    return config;
  },
  queuePopulatorExtension: SortMusicPopulator,
  queueProcessor: SortMusicProcessor,
};
