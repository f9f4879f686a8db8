import { integer, oneOf, setting, text } from '@zenko-modules/common/settings';
import { MONGODB_CLIENT_SETTINGS } from '@zenko-modules/common/shared-settings';

/** With this, another process has taken over 5 s after the death of the owner: README.md, "The lease". */
export const DEFAULT_LEASE_MS = 2500;

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
