/** What a start does when the store holds less than was acknowledged: never go on silently. */
import type { Logger } from '@zenko-modules/common/logger';
import { StartError } from '@zenko-modules/common/start-error';

/** In a message there are so many; the log has all. */
const SHOWN = 3;

/** What to do about a store that cannot be read, at the end of a message. */
export const BRING_BACK = 'bring back a backup of it (`npm run -s zenko -- restore`) or a copy';

/**
 * Tells of every loss in the log.
 * @param hint what else may be done, for the message
 * @throws StartError when there is one, unless the person who starts the module accepts that.
 */
export function tellOfLosses(losses: readonly string[], accepted: boolean, log: Logger, hint = ''): void {
  if (losses.length === 0) return;
  if (!accepted) {
    const shown = losses.slice(0, SHOWN).join('; ');
    const more = losses.length > SHOWN ? `; and ${losses.length - SHOWN} more` : '';
    throw new StartError(
      `METADATA_ACCEPT_LOSS: the store holds less than was acknowledged: ${shown}${more}: ${BRING_BACK}, ` +
        `or set METADATA_ACCEPT_LOSS=true to go on without${hint}`,
    );
  }
  for (const loss of losses)
    log.error({ loss }, 'the store has lost what was acknowledged, which is accepted');
}
