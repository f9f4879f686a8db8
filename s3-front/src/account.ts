import { DEFAULT_ACCOUNT } from '@zenko-modules/common/accounts';

export interface Account {
  readonly canonicalId: string;
  readonly displayName: string;
  /** The twelve digits that `x-amz-expected-bucket-owner` names. */
  readonly accountId: string;
}

/** CloudServer's default account, the owner of `accessKey1` in its own files. */
export const ACCOUNT: Account = {
  canonicalId: DEFAULT_ACCOUNT.canonicalID,
  displayName: DEFAULT_ACCOUNT.name,
  accountId: DEFAULT_ACCOUNT.shortid,
};
