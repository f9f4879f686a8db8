/** Places for LevelDOWNs under test: each is empty at first, and may be opened again and again. */
import { createRequire } from 'node:module';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { leveldown } from '../leveldowns/leveldown-binding.js';
import type { LevelDown } from '../leveldowns/plugin.js';

/** One store's data. */
export interface LevelPlace {
  /** A LevelDOWN over the data, not opened yet. The one before it has been closed. */
  level(): LevelDown | Promise<LevelDown>;
}

/** A kind of LevelDOWN, for the tests that every kind must pass. */
export interface LevelKind {
  readonly name: string;
  /** Makes a new, empty place; what it needs is removed when the test ends. */
  place(t: Pick<TestContext, 'after'>): Promise<LevelPlace>;
  /** False when a place forgets its data with its LevelDOWN. */
  readonly permanent: boolean;
  /** How many random runs a test makes, relative to one in memory. */
  readonly effort: number;
}

const memdown = createRequire(import.meta.url)('memdown') as () => LevelDown;

/** In memory: for tests of the layers above. */
export const MEMDOWN: LevelKind = {
  name: 'memdown',
  permanent: false,
  effort: 1,
  place: () => {
    // Opened again, the same instance still has its data.
    const level = Object.assign(memdown(), { soleOwner: true });
    return Promise.resolve({ level: () => level });
  },
};

export const LEVELDOWN: LevelKind = {
  name: 'leveldown',
  permanent: true,
  effort: 0.02,
  place: async t => {
    const folder = await temporaryFolder(t);
    return { level: () => leveldown(path.join(folder, 'rootDB')) };
  },
};
