/** The stores that we ship, and how others are loaded. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { diskStore } from './disk/disk-store.js';
import { memcachedStore } from './memcached/memcached-store.js';
import { packedStore } from './packed/packed-plugin.js';
import type { StorePlugin } from './plugin.js';

/** One line for each. */
export const SHIPPED: readonly StorePlugin[] = [diskStore, memcachedStore, packedStore];

/**
 * The store that `backend` names: one that we ship, else the default export of a package, or of a file when
 * it starts with `.` or `/` (relative to the working directory).
 * @throws StartError when there is none, or what was found is no store.
 */
export async function loadStore(
  backend: string,
  shipped: readonly StorePlugin[] = SHIPPED,
): Promise<StorePlugin> {
  const known = byName(shipped);
  return known.get(backend) ?? loadOutside(backend, [...known.keys()]);
}

function byName(plugins: readonly StorePlugin[]): Map<string, StorePlugin> {
  const known = new Map<string, StorePlugin>();
  for (const plugin of plugins) {
    if (known.has(plugin.name)) throw new StartError(`two stores are named "${plugin.name}"`);
    known.set(plugin.name, plugin);
  }
  return known;
}

async function loadOutside(backend: string, known: readonly string[]): Promise<StorePlugin> {
  const isPath = /^\.{0,2}\//.test(backend);
  const specifier = isPath ? pathToFileURL(path.resolve(backend)).href : backend;
  let loaded: { default?: unknown };
  try {
    loaded = (await import(specifier)) as { default?: unknown };
  } catch (err) {
    if (!isMissing(err, backend, specifier)) {
      throw new StartError(`DATA_BACKEND: "${backend}" cannot be loaded: ${messageOf(err)}`, { cause: err });
    }
    throw new StartError(
      `DATA_BACKEND: "${backend}" is not known: expected one of ${known.join(', ')}, or the package or path of a store`,
      { cause: err },
    );
  }
  if (!isStorePlugin(loaded.default)) {
    throw new StartError(
      `DATA_BACKEND: "${backend}" is no store: its default export must have a name, settings and open()`,
    );
  }
  return loaded.default;
}

/** Whether it is the module itself that is missing, not one that it imports. */
function isMissing(err: unknown, backend: string, specifier: string): boolean {
  const code = err instanceof Error && 'code' in err ? err.code : undefined;
  if (code === 'ERR_INVALID_MODULE_SPECIFIER') return true;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'ERR_UNSUPPORTED_DIR_IMPORT') return false;
  return (
    messageOf(err).includes(`'${backend}'`) ||
    messageOf(err).includes(`'${new URL(specifier, 'file:').pathname}'`)
  );
}

function isStorePlugin(value: unknown): value is StorePlugin {
  if (typeof value !== 'object' || value === null) return false;
  const { name, settings, open } = value as Partial<StorePlugin>;
  return typeof name === 'string' && typeof settings === 'object' && typeof open === 'function';
}
