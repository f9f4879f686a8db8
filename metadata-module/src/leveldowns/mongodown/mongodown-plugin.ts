/** METADATA_BACKEND=mongodown. */
import { StartError } from '@zenko-modules/common/start-error';
import type { LevelDownPlugin } from '../plugin.js';
import { urlProblem } from './connection.js';
import { MongoDown } from './mongodown.js';
import { MONGODB_SETTINGS } from './mongodown-settings.js';

export const mongodownPlugin = {
  name: 'mongodown',
  settings: MONGODB_SETTINGS,
  create({ settings, log, canStandBy }) {
    const url = settings.MONGODB_URL;
    if (url === undefined) {
      throw new StartError('MONGODB_URL: METADATA_BACKEND=mongodown needs the connection string of MongoDB');
    }
    const problem = urlProblem(url);
    if (problem !== undefined) throw new StartError(`MONGODB_URL: ${problem}`);
    return new MongoDown({
      url,
      database: settings.MONGODB_DATABASE,
      collection: settings.MONGODB_COLLECTION,
      readPreference: settings.MONGODB_READ_PREFERENCE,
      timeoutMs: settings.MONGODB_TIMEOUT_MS,
      socketTimeoutMs: settings.MONGODB_SOCKET_TIMEOUT_MS,
      leaseMs: settings.MONGODB_LEASE_MS,
      inUse: settings.MONGODB_IN_USE,
      canStandBy,
      log,
    });
  },
} satisfies LevelDownPlugin<typeof MONGODB_SETTINGS>;
