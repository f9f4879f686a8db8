/** The keys by which requests may be signed. */
import { AccountsFile } from '@zenko-modules/common/accounts';
import type { FrontSettings } from '../front-settings.js';
import type { Credentials } from './authenticate.js';

/** The keys as they are now. Rejects while the file of accounts cannot be read. */
export type Keys = () => Promise<readonly Credentials[]>;

export function keysOf({ S3AUTH_CONFIG, S3_ACCESS_KEY, S3_SECRET_KEY }: FrontSettings): Keys {
  if (S3AUTH_CONFIG === undefined) {
    const keys = [{ accessKey: S3_ACCESS_KEY, secretKey: S3_SECRET_KEY }];
    return () => Promise.resolve(keys);
  }
  const file = new AccountsFile(S3AUTH_CONFIG, 'S3AUTH_CONFIG');
  return async () => {
    const accounts = await file.accounts();
    return accounts.flatMap(({ keys }) =>
      keys.map(({ access, secret }) => ({ accessKey: access, secretKey: secret })),
    );
  };
}
