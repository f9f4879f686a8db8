/** Credentials by which a processor signs its S3 requests. */
import { AccountsFile, parseAccounts, type StoredAccount } from '@zenko-modules/common/accounts';
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import type { ConfigSettings } from '../extension-settings.js';
import { type AuthSection, authSection, type BackbeatConfig, check } from './backbeat-config.js';

export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface Credentials {
  /** Where they come from, for the log. */
  readonly source: string;
  /**
   * The keys as they are now: a file of accounts is read again when it has changed. Rejects with a
   * CredentialsProviderError, which is waited for, while the file cannot be read or lacks the account.
   */
  readonly current: () => Promise<KeyPair>;
}

/**
 * The credentials for an extension whose section has `auth`: the account of that name, else the one that
 * `extensions.replication.source.auth` names, else S3_ACCESS_KEY. Without SERVICE_ACCOUNTS every account
 * signs with S3_ACCESS_KEY.
 * @throws StartError when the accounts cannot be read, or have no account of that name.
 */
export function credentialsOf(
  auth: AuthSection | undefined,
  config: BackbeatConfig,
  settings: ConfigSettings,
): Credentials {
  const wanted = serviceAuthOf(auth, config);
  const { SERVICE_ACCOUNTS, SERVICE_ACCOUNTS_FILE, S3_ACCESS_KEY, S3_SECRET_KEY } = settings;
  if (!wanted || SERVICE_ACCOUNTS === undefined) {
    const unused = wanted ? `, for ${wanted.account} (SERVICE_ACCOUNTS_FILE is not set)` : '';
    const keys = { accessKeyId: S3_ACCESS_KEY, secretAccessKey: S3_SECRET_KEY };
    return { source: `S3_ACCESS_KEY${unused}`, current: () => Promise.resolve(keys) };
  }
  const { account } = wanted;
  const atStart = (): KeyPair => keysOf(account, parseAccounts('SERVICE_ACCOUNTS', SERVICE_ACCOUNTS));
  const first = startErrorOf(atStart);
  const file = SERVICE_ACCOUNTS_FILE && new AccountsFile(SERVICE_ACCOUNTS_FILE, 'SERVICE_ACCOUNTS_FILE');
  const current = async (): Promise<KeyPair> => {
    if (!file) return first;
    try {
      return keysOf(account, await file.accounts());
    } catch (err) {
      const failure = new Error(`account ${account} cannot be read now: ${messageOf(err)}`, { cause: err });
      throw Object.assign(failure, { name: 'CredentialsProviderError' });
    }
  };
  return { source: `account ${account}`, current };
}

/** The account that an extension signs with: its section's, else the one of `extensions.replication.source.auth`. */
export function serviceAuthOf(
  auth: AuthSection | undefined,
  config: BackbeatConfig,
): AuthSection | undefined {
  return auth ?? replicationAuth(config);
}

function keysOf(name: string, accounts: readonly StoredAccount[]): KeyPair {
  const key = accounts.find(account => account.name === name)?.keys[0];
  if (key) return { accessKeyId: key.access, secretAccessKey: key.secret };
  const known = accounts.map(account => account.name).join(', ');
  throw new Error(`SERVICE_ACCOUNTS has no account "${name}": it has ${known || 'none'}`);
}

function startErrorOf<T>(work: () => T): T {
  try {
    return work();
  } catch (err) {
    throw new StartError(messageOf(err));
  }
}

const replicationSchema = z.looseObject({
  source: z.looseObject({ auth: authSection.partial() }).optional(),
});

function replicationAuth({ extensions }: BackbeatConfig): AuthSection | undefined {
  const auth = check('extensions.replication', replicationSchema, extensions.replication ?? {}).source?.auth;
  if (auth?.account === undefined) return undefined;
  return { type: auth.type ?? 'service', account: auth.account };
}
