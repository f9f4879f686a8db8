/** The stores that we ship, and how others are loaded. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { diskStore } from './disk/disk-store.js';
import { gridFsStore } from './gridfs/gridfs-plugin.js';
import { memcachedStore } from './memcached/memcached-store.js';
import { packedStore } from './packed/packed-plugin.js';
import { s3Store } from './s3/s3-plugin.js';
import type { StorePlugin } from './plugin.js';

/** One line for each. */
export const SHIPPED: readonly StorePlugin[] = [diskStore, gridFsStore, memcachedStore, packedStore, s3Store];

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
  const specifier = locate(backend);
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

/** A path is relative to the working directory, and a package is looked for there first: its author works there. */
function locate(backend: string): string {
  if (/^\.{0,2}\//.test(backend)) return pathToFileURL(path.resolve(backend)).href;
  const require = createRequire(path.resolve('package.json'));
  try {
    return pathToFileURL(require.resolve(backend)).href;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return backend;
    // It has an entry for `import` alone.
    const entry = importEntry(backend, require.resolve.paths(backend) ?? []);
    return entry === undefined ? backend : pathToFileURL(entry).href;
  }
}

/** The file that `import` loads of a package in one of these folders, by the `exports` of its package.json. */
function importEntry(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const file = path.join(folder, name, 'package.json');
    if (!existsSync(file)) continue;
    const { exports } = JSON.parse(readFileSync(file, 'utf8')) as { exports?: unknown };
    const entry = targetOf(exports);
    if (entry !== undefined) return path.join(folder, name, entry);
  }
  return undefined;
}

function targetOf(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (typeof exports !== 'object' || exports === null) return undefined;
  for (const [condition, target] of Object.entries(exports)) {
    const found = ['.', 'node', 'import', 'default'].includes(condition) ? targetOf(target) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
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
