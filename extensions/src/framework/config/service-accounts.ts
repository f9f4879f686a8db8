/** Credentials by which a processor signs its S3 requests. */
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import type { ConfigSettings } from '../extension-settings.js';
import { type AuthSection, authSection, type BackbeatConfig, check } from './backbeat-config.js';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Where they come from, for the log. */
  readonly source: string;
}

/** As in CloudServer's authdata.json, of which this may be a copy. */
const accountsSchema = z.looseObject({
  accounts: z.array(
    z.looseObject({
      name: z.string().min(1),
      keys: z.array(z.looseObject({ access: z.string().min(1), secret: z.string().min(1) })).min(1),
    }),
  ),
});

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
  const wanted = auth ?? replicationAuth(config);
  const fromEnvironment = {
    accessKeyId: settings.S3_ACCESS_KEY,
    secretAccessKey: settings.S3_SECRET_KEY,
    source: 'S3_ACCESS_KEY',
  };
  if (!wanted) return fromEnvironment;
  if (settings.SERVICE_ACCOUNTS === undefined) {
    return {
      ...fromEnvironment,
      source: `S3_ACCESS_KEY, for ${wanted.account} (SERVICE_ACCOUNTS_FILE is not set)`,
    };
  }
  const { accounts } = check('SERVICE_ACCOUNTS', accountsSchema, parse(settings.SERVICE_ACCOUNTS));
  const account = accounts.find(({ name }) => name === wanted.account);
  const key = account?.keys[0];
  if (!key) {
    const known = accounts.map(({ name }) => name).join(', ');
    throw new StartError(`SERVICE_ACCOUNTS has no account "${wanted.account}": it has ${known || 'none'}`);
  }
  return { accessKeyId: key.access, secretAccessKey: key.secret, source: `account ${wanted.account}` };
}

const replicationSchema = z.looseObject({
  source: z.looseObject({ auth: authSection.partial() }).optional(),
});

function replicationAuth({ extensions }: BackbeatConfig): AuthSection | undefined {
  const auth = check('extensions.replication', replicationSchema, extensions.replication ?? {}).source?.auth;
  if (auth?.account === undefined) return undefined;
  return { type: auth.type ?? 'service', account: auth.account };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (err) {
    // The text holds secrets: only where it went wrong may be shown.
    throw new StartError(`SERVICE_ACCOUNTS: is no JSON (${messageOf(err).replace(/".*"/s, '…')})`);
  }
}
