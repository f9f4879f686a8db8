/**
 * A plug-in of somebody else, whose store fails at writes of clients: FAILURE says whether it is damaged from the
 * first one on, never answers again, or fails now and then, with and without having written.
 */
import { oneOf, setting } from '@zenko-modules/common/settings';
import { LEVEL_ERRORS, LevelError, type LevelDownPlugin } from '../../leveldowns/plugin.js';
import { type Fault, type FaultyLevel, faultyLevel } from '../faulty-level.js';

/** Of so many batches one fails. */
const EVERY = 40;

const settings = {
  FAILURE: setting(oneOf('damage', 'silence', 'now and then'), 'damage', 'what becomes of the store'),
};

const plugin: LevelDownPlugin<typeof settings> = {
  name: 'failing',
  settings,
  create: async ({ settings: { FAILURE } }) => {
    const faulty = await faultyLevel();
    const faultOf = FAILURE === 'now and then' ? nowAndThen() : fromTheFirst(faulty, FAILURE);
    faulty.faultOf = operations =>
      operations.some(({ key }) => key.startsWith('!bucket!')) ? faultOf() : undefined;
    return faulty.level;
  },
};

function fromTheFirst(faulty: FaultyLevel, failure: 'damage' | 'silence'): () => Fault {
  const error = new LevelError(LEVEL_ERRORS.corrupt, 'line 7 is damaged');
  return () => {
    if (failure === 'silence') faulty.held = new Promise(() => undefined);
    else faulty.openError = error;
    return { error, applied: false };
  };
}

function nowAndThen(): () => Fault | undefined {
  let batches = 0;
  let failures = 0;
  return () => {
    batches += 1;
    if (batches % EVERY !== 0) return undefined;
    failures += 1;
    const error =
      failures % 2 === 0 ? new Error('disk on fire') : new LevelError(LEVEL_ERRORS.unavailable, 'gone');
    return { error, applied: failures % 4 < 2 };
  };
}

export default plugin;
