/** The package leveldown with types that agree with what it exports. */
import { createRequire } from 'node:module';
import type { AbstractIterator, AbstractOpenOptions, ErrorCallback } from 'abstract-leveldown';
import type leveldownTypes from 'leveldown';
import { call } from './level-calls.js';
import type { LevelDown } from './plugin.js';

const require = createRequire(import.meta.url);

const binding = require('leveldown') as typeof leveldownTypes.default;

const OPTIONS = {
  /**
   * What LevelDB keeps in memory, twice at most, and in its log before it makes a table of it. With its own 4 MiB tables are
   * merged half as much again, which takes a processor more than the writes themselves.
   */
  writeBufferSize: 16 * 1024 * 1024,
} as const;

/** So many bytes of the highest value: no key of ours is beyond it. */
const LAST_KEY = Buffer.alloc(64, 0xff);

/** Makes a LevelDB store for the folder `location`; `leveldown.destroy` deletes one. */
export const leveldown = Object.assign(
  (location: string): LevelDown => {
    const store = binding(location);
    const open = store.open.bind(store);
    return Object.assign(store, {
      open: (options: AbstractOpenOptions | ErrorCallback, done?: ErrorCallback): void => {
        const [given, callback] = done ? [options, done] : [{}, options as ErrorCallback];
        open(Object.assign({}, OPTIONS, given), callback);
      },
      takeAhead,
      soleOwner: true,
    });
  },
  {
    destroy: (location: string, done: (err?: Error | null) => void) => binding.destroy(location, done),
    /** Makes a new manifest for what can be read of a database that is not open. */
    repair: (location: string): Promise<void> => call(done => binding.repair(location, done)),
    /** Writes the whole of an open store anew. */
    compact: (level: LevelDown): Promise<void> =>
      call(done => (level as LevelDown & Compactable).compactRange(Buffer.alloc(0), LAST_KEY, done)),
  },
);

interface Compactable {
  compactRange(start: Buffer, end: Buffer, done: (err?: Error | null) => void): void;
}

interface WithCache {
  cache: string[] | null;
}

/** Each of its iterators reads many entries at once, and hands them out one by one, each in a turn of its own. */
function takeAhead(iterator: AbstractIterator<unknown, unknown>): string[] {
  if (!hasCache(iterator) || iterator.cache === null) return [];
  const ahead = iterator.cache;
  iterator.cache = null;
  return ahead;
}

function hasCache(iterator: object): iterator is WithCache {
  return 'cache' in iterator && (iterator.cache === null || Array.isArray(iterator.cache));
}
