/**
 * A plug-in of somebody else, whose store fails at the first write of a client: FAILURE says whether it is
 * damaged then, or never answers again.
 */
import { oneOf, setting } from '@zenko-modules/common/settings';
import { LEVEL_ERRORS, LevelError, type LevelDownPlugin } from '../../leveldowns/plugin.js';
import { faultyLevel } from '../faulty-level.js';

const settings = { FAILURE: setting(oneOf('damage', 'silence'), 'damage', 'what becomes of the store') };

const plugin: LevelDownPlugin<typeof settings> = {
  name: 'failing',
  settings,
  create: async ({ settings: { FAILURE } }) => {
    const faulty = await faultyLevel();
    faulty.faultOf = operations => {
      if (!operations.some(({ key }) => key.startsWith('!bucket!'))) return undefined;
      const error = new LevelError(LEVEL_ERRORS.corrupt, 'line 7 is damaged');
      if (FAILURE === 'silence') faulty.held = new Promise(() => undefined);
      else faulty.openError = error;
      return { error, applied: false };
    };
    return faulty.level;
  },
};

export default plugin;
