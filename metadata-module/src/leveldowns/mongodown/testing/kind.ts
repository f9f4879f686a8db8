/** mongodown for the tests that every kind of LevelDOWN runs. */
import type { CrashKind } from '../../../testing/crash-run.js';
import type { LevelKind } from '../../../testing/level-place.js';
import { newPlace, newStore } from './databases.js';

export const MONGODOWN: LevelKind = {
  name: 'mongodown',
  permanent: true,
  effort: 0.01,
  place: async t => {
    const place = await newPlace(t);
    return { level: () => newStore(place) };
  },
};

/** A daemon that keeps its metadata there. Killed, its successor waits for the lease. */
export const MONGODOWN_DAEMON: CrashKind = {
  name: 'mongodown',
  kills: 3,
  env: async t => {
    const { url, database } = await newPlace(t);
    return {
      METADATA_BACKEND: 'mongodown',
      MONGODB_URL: url,
      MONGODB_DATABASE: database,
      MONGODB_LEASE_MS: '600',
    };
  },
};
