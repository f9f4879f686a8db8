/** The keys by which requests may be signed. */
import { AccountsFile, type StoredAccount } from '@zenko-modules/common/accounts';
import { type Account, ACCOUNT } from '../account.js';
import type { FrontSettings } from '../front-settings.js';
import type { Credentials } from './authenticate.js';

/** The keys as they are now. Rejects while the file of accounts cannot be read. */
export type Keys = () => Promise<readonly AccountKey[]>;

export interface AccountKey extends Credentials {
  /** Whose key it is. */
  readonly account: Account;
}

/** CloudServer's service accounts work for every account; here they work for the default one. */
const SERVICE_IDS = 'http://acs.zenko.io/accounts/service';

export function keysOf({ S3AUTH_CONFIG, S3_ACCESS_KEY, S3_SECRET_KEY }: FrontSettings): Keys {
  if (S3AUTH_CONFIG === undefined) {
    const keys = [{ accessKey: S3_ACCESS_KEY, secretKey: S3_SECRET_KEY, account: ACCOUNT }];
    return () => Promise.resolve(keys);
  }
  const file = new AccountsFile(S3AUTH_CONFIG, 'S3AUTH_CONFIG');
  return async () => {
    const accounts = await file.accounts();
    return accounts.flatMap(stored =>
      stored.keys.map(({ access, secret }) => ({
        accessKey: access,
        secretKey: secret,
        account: readAccount(stored),
      })),
    );
  };
}

/** The account of a key that a request was found to be signed with. */
export function accountOf(keys: readonly AccountKey[], accessKey: string): Account {
  return keys.find(key => key.accessKey === accessKey)?.account ?? ACCOUNT;
}

/** One that has no id of its own is the default account. */
function readAccount({ name, canonicalID, shortid }: StoredAccount): Account {
  if (typeof canonicalID !== 'string' || canonicalID.startsWith(SERVICE_IDS)) return ACCOUNT;
  const accountId = typeof shortid === 'string' ? shortid : ACCOUNT.accountId;
  return { canonicalId: canonicalID, displayName: name, accountId };
}
