/** Writes a file of accounts: one that owns, and the service account of the processors. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { DEFAULT_ACCOUNT } from '@zenko-modules/common/accounts';
import { StartError } from '@zenko-modules/common/start-error';

/** CloudServer lets an account with this kind of id reach every bucket; it knows it by its last part. */
export const SERVICE_ACCOUNT = {
  name: 'service-replication',
  canonicalID: 'http://acs.zenko.io/accounts/service/replication',
  shortid: '123456789015',
} as const;

interface NewAccounts {
  readonly file: string;
  /** The owner's keys; made up unless given. */
  readonly access?: string | undefined;
  readonly secret?: string | undefined;
  /** Whose buckets the owner's are to be, instead of the default account's. */
  readonly canonicalId?: string | undefined;
}

/** Writes the file, readable for its owner alone. @throws StartError when it is there already. */
export async function writeNewAccounts({ file, access, secret, canonicalId }: NewAccounts): Promise<string> {
  const owner = { ...DEFAULT_ACCOUNT, ...(canonicalId !== undefined && { canonicalID: canonicalId }) };
  const keys = newKeys();
  const accounts = [
    accountOf(owner, { access: access ?? keys.access, secret: secret ?? keys.secret }),
    accountOf(SERVICE_ACCOUNT, newKeys()),
  ];
  try {
    await writeFile(file, `${JSON.stringify({ accounts }, null, 2)}\n`, { flag: 'wx', mode: 0o600 });
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'EEXIST') throw err;
    throw new StartError(`${file} is there already: name another file, or remove it`);
  }
  return `${file}: account ${owner.name} with access key ${accounts[0]?.keys[0]?.access ?? ''}, and ${SERVICE_ACCOUNT.name} for the processors\n`;
}

interface Identity {
  readonly name: string;
  readonly canonicalID: string;
  readonly shortid: string;
}

interface Keys {
  readonly access: string;
  readonly secret: string;
}

/** With all that CloudServer wants of an account. */
function accountOf({ name, canonicalID, shortid }: Identity, keys: Keys) {
  return {
    name,
    email: `${name.toLowerCase()}@example.com`,
    arn: `arn:aws:iam::${shortid}:root`,
    canonicalID,
    shortid,
    keys: [keys],
  };
}

/** In the lengths of AWS's. */
function newKeys(): Keys {
  return {
    access: randomBytes(10).toString('hex').toUpperCase(),
    secret: randomBytes(30).toString('base64url'),
  };
}
