/** The one account of the front: CloudServer's default account, the owner of `accessKey1` in its own files. */
export interface Account {
  readonly canonicalId: string;
  readonly displayName: string;
  /** The twelve digits that `x-amz-expected-bucket-owner` names. */
  readonly accountId: string;
}

export const ACCOUNT: Account = {
  canonicalId: '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be',
  displayName: 'Bart',
  accountId: '123456789012',
};
