/** For parts that a Swarm may start on another node the next time. */
import { optional, text } from './settings.js';
import { StartError } from './start-error.js';

export const NODE_SETTINGS = {
  MODULES_ON: optional(
    text,
    'on which nodes of a Swarm the stack may start this part, where that is not always the same one; a part that keeps files on its node then refuses to start, since it would begin empty on another one',
  ),
} as const;

/**
 * @param keeps the setting by which the part keeps files on its node
 * @throws StartError when the part may be started on another node
 */
export function refuseOnAnyNode(modulesOn: string | undefined, keeps: string): void {
  if (modulesOn === undefined) return;
  throw new StartError(
    `MODULES_ON: "${modulesOn}" lets a Swarm start this part on another node, and ${keeps} keeps files on its own: set MODULES_ON with deploy/cluster.yml only`,
  );
}
