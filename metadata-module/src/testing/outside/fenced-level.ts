/** A plug-in of somebody else, whose store is taken over by another process at the first write of a client. */
import { LEVEL_ERRORS, LevelError, type LevelDownPlugin } from '../../leveldowns/plugin.js';
import { faultyLevel } from '../faulty-level.js';

const plugin: LevelDownPlugin = {
  name: 'fenced',
  settings: {},
  create: async () => {
    const faulty = await faultyLevel();
    faulty.faultOf = operations =>
      operations.some(({ key }) => key.startsWith('!bucket!'))
        ? { error: new LevelError(LEVEL_ERRORS.fenced, 'another process has the lease'), applied: false }
        : undefined;
    return faulty.level;
  },
};

export default plugin;
