/** The LevelDOWNs that we ship, and the way to those that we do not. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '@zenko-modules/common/errors';
import type { SettingsTable } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { JSONDOWN_SETTINGS } from './jsondown/jsondown-settings.js';
import { JSONMEMCACHED_SETTINGS } from './jsonmemcached/jsonmemcached-settings.js';
import { MONGODB_SETTINGS } from './mongodown/mongodown-settings.js';
import type { LevelDown, LevelDownPlugin } from './plugin.js';

interface Shipped {
  readonly name: string;
  /** Those of the plug-in. */
  readonly settings: SettingsTable;
  /** Imports it only when it is chosen: drivers are large. */
  readonly load: () => Promise<LevelDownPlugin>;
}

/** Every LevelDOWN that we ship has its line here. */
export const LEVELDOWNS: readonly Shipped[] = [
  { name: 'leveldown', settings: {}, load: async () => (await import('./leveldown.js')).leveldownPlugin },
  {
    name: 'jsondown',
    settings: JSONDOWN_SETTINGS,
    load: async () => (await import('./jsondown/plugin.js')).jsondownPlugin,
  },
  {
    name: 'jsonmemcached',
    settings: JSONMEMCACHED_SETTINGS,
    load: async () => (await import('./jsonmemcached/plugin.js')).jsonmemcachedPlugin,
  },
  {
    name: 'mongodown',
    settings: MONGODB_SETTINGS,
    load: async () => (await import('./mongodown/index.js')).mongodownPlugin,
  },
];

/**
 * The plug-in that METADATA_BACKEND names: one of ours, or else a package or path whose default export is a
 * `LevelDownPlugin` or an abstract-leveldown store that takes its location as its only argument.
 * @throws StartError that lists the known names when there is no such plug-in, or when a name is registered twice.
 */
export async function loadLevelDown(
  name: string,
  shipped: readonly Shipped[] = LEVELDOWNS,
): Promise<LevelDownPlugin> {
  const names = shipped.map(plugin => plugin.name);
  const twice = names.find((known, index) => names.indexOf(known) !== index);
  if (twice !== undefined) throw new StartError(`the LevelDOWN ${twice} is registered twice`);
  const found = shipped.find(plugin => plugin.name === name);
  return found ? found.load() : loadOutside(name, names);
}

async function loadOutside(name: string, known: readonly string[]): Promise<LevelDownPlugin> {
  const expected = `expected one of ${known.join(', ')}, or a package or path that exports an abstract-leveldown store`;
  let loaded: unknown;
  try {
    loaded = ((await import(locate(name))) as { default?: unknown }).default;
  } catch (err) {
    throw new StartError(
      `METADATA_BACKEND: cannot load ${JSON.stringify(name)} (${firstLine(err)}): ${expected}`,
      {
        cause: err,
      },
    );
  }
  if (isPlugin(loaded)) return loaded;
  if (typeof loaded === 'function') return asPlugin(name, loaded as StoreFunction);
  throw new StartError(`METADATA_BACKEND: ${JSON.stringify(name)} is no store: ${expected}`);
}

/** A path is relative to the working directory; so is the search for a package. */
function locate(name: string): string {
  if (/^\.{0,2}\//.test(name)) return pathToFileURL(path.resolve(name)).href;
  return pathToFileURL(createRequire(path.resolve('package.json')).resolve(name)).href;
}

type StoreFunction = ((location: string) => LevelDown) | (new (location: string) => LevelDown);

function asPlugin(name: string, store: StoreFunction): LevelDownPlugin {
  return {
    name,
    settings: {},
    create: ({ folder }) => {
      const location = path.join(folder, 'db');
      const level = isConstructor(store) ? new store(location) : store(location);
      if (typeof level.open === 'function' && typeof level.batch === 'function') return level;
      throw new StartError(`METADATA_BACKEND: ${JSON.stringify(name)} makes no abstract-leveldown store`);
    },
  };
}

function isConstructor(store: StoreFunction): store is new (location: string) => LevelDown {
  return (store as { prototype?: unknown }).prototype !== undefined;
}

function isPlugin(value: unknown): value is LevelDownPlugin {
  return (
    typeof value === 'object' && value !== null && 'name' in value && 'settings' in value && 'create' in value
  );
}

function firstLine(err: unknown): string {
  return messageOf(err).split('\n', 1)[0] ?? '';
}
