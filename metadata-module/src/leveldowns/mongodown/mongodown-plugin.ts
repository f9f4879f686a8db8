/** METADATA_BACKEND=mongodown, and its settings. */
import { integer, oneOf, setting, text } from '@zenko-modules/common/settings';
import { MONGODB_CLIENT_SETTINGS } from '@zenko-modules/common/shared-settings';
import { StartError } from '@zenko-modules/common/start-error';
import type { LevelDownPlugin } from '../plugin.js';
import { urlProblem } from './connection.js';
import { DEFAULT_LEASE_MS, MongoDown } from './mongodown.js';

export const MONGODB_SETTINGS = {
  ...MONGODB_CLIENT_SETTINGS,
  MONGODB_COLLECTION: setting(
    text,
    'metadata',
    'first part of the names of its collections; another one is another store',
  ),
  MONGODB_READ_PREFERENCE: setting(
    oneOf('primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'),
    'primary',
    'members that answer reads; what a member answers that lags behind is read again from the primary',
  ),
  MONGODB_LEASE_MS: setting(
    integer(200, 600_000, 'milliseconds'),
    String(DEFAULT_LEASE_MS),
    'silence of the owner after which another module may take the store over',
  ),
  MONGODB_IN_USE: setting(
    oneOf('refuse', 'wait'),
    'refuse',
    'what to do when another module owns the store or MongoDB is away at the start: end with a message, or stand by for it',
  ),
} as const;

export const mongodownPlugin = {
  name: 'mongodown',
  settings: MONGODB_SETTINGS,
  create({ settings, log }) {
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
      log,
    });
  },
} satisfies LevelDownPlugin<typeof MONGODB_SETTINGS>;
