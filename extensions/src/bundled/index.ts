/** The extensions that we ship. */
import type { Extension } from '../framework/contract/extension.js';
import { helloWorld } from './helloWorld/index.js';
import { type Mover, refuseCircles, type Route } from './move/routes.js';
import { sortByType } from './sortByType/index.js';
import { sortMusic } from './sortMusic/index.js';

const MOVERS: readonly (Extension & Mover)[] = [sortByType, sortMusic];

export const BUNDLED: readonly Extension[] = [helloWorld, ...MOVERS.map(withoutCircles)];

/** Checks, beside its own section, that it and the others that run do not move objects in circles. */
function withoutCircles(mover: Extension & Mover): Extension {
  return {
    ...mover,
    configValidator: (backbeatConfig, section) => {
      const config = mover.configValidator?.(backbeatConfig, section);
      const routes = new Map<string, Route>();
      for (const { name, route } of MOVERS) {
        const found = backbeatConfig.extensions[name];
        const way = found && found.enabled !== false ? route(found) : undefined;
        if (way) routes.set(name, way);
      }
      refuseCircles(routes);
      return config;
    },
  };
}
