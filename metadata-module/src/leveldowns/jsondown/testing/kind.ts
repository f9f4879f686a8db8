import path from 'node:path';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import type { LevelKind } from '../../../testing/level-place.js';
import { JsonDown } from '../json-down.js';

/** For the tests that every LevelDOWN must pass. Its journals are small, so that snapshots are written all the time. */
export const JSONDOWN: LevelKind = {
  name: 'jsondown',
  permanent: true,
  effort: 0.02,
  place: async t => {
    const folder = await temporaryFolder(t);
    return { level: () => new JsonDown(path.join(folder, 'jsondown'), { journalMinBytes: 2000 }) };
  },
};
