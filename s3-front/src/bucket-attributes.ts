/** The attributes of a bucket as CloudServer keeps them in the database `__metastore`, member for member. */
import { randomUUID } from 'node:crypto';
import type { Account } from './account.js';

/** The database that maps bucket names to their attributes. */
export const METASTORE = '__metastore';
/** The database (and the bucket of that name) that lists each account's buckets. */
export const USERS_BUCKET = 'users..bucket';
const USERS_BUCKET_SEPARATOR = '..|..';
/** Where CloudServer keeps the parts of uploads that are under way. */
export const SHADOW_BUCKET_PREFIX = 'mpuShadowBucket';

const MODEL_VERSION = 16;

export const DEFAULT_LOCATION = 'us-east-1';

/** The location constraints that CloudServer knows from its default configuration. */
export const LOCATIONS: readonly string[] = [
  DEFAULT_LOCATION,
  'us-east-2',
  'us-west-1',
  'us-west-2',
  'ca-central-1',
  'cn-north-1',
  'ap-south-1',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'eu-central-1',
  'eu-west-1',
  'eu-west-2',
  'EU',
  'sa-east-1',
];

/** What the front reads of a bucket's attributes; all other members are kept as they are. */
export interface BucketAttributes {
  readonly name: string;
  readonly owner: string;
  readonly ownerDisplayName: string;
  readonly creationDate: string;
  /** True while a creation is under way: the bucket is not there yet. */
  readonly transient: boolean;
  /** True while a deletion is under way: the bucket is not there any more. */
  readonly deleted: boolean;
  readonly locationConstraint: string | null;
  readonly versioningConfiguration: { readonly Status: 'Enabled' | 'Suspended' } | null;
  readonly serverSideEncryption: object | null;
  readonly objectLockEnabled: boolean;
  readonly tags?: readonly { readonly Key: string; readonly Value: string }[];
  readonly [member: string]: unknown;
}

const PRIVATE_ACL = {
  Canned: 'private',
  FULL_CONTROL: [],
  WRITE: [],
  WRITE_ACP: [],
  READ: [],
  READ_ACP: [],
} as const;

/** A bucket on its way into being. Like CloudServer's, it has no `acl` until its attributes are changed. */
export function newBucket(name: string, locationConstraint: string, account: Account): BucketAttributes {
  return attributes({
    name,
    owner: account.canonicalId,
    ownerDisplayName: account.displayName,
    transient: true,
    locationConstraint,
  });
}

/** The bucket that each CloudServer makes when it starts, before anything is listed. */
export function usersBucket(): BucketAttributes {
  return {
    acl: PRIVATE_ACL,
    ...attributes({
      name: USERS_BUCKET,
      owner: 'admin',
      ownerDisplayName: 'admin',
      transient: false,
      locationConstraint: null,
    }),
  };
}

/** Where CloudServer keeps the uploads of a bucket that are under way. */
export function shadowBucket(
  bucket: string,
  owner: { readonly 'owner-id': string; readonly 'owner-display-name': string },
): BucketAttributes {
  return {
    acl: PRIVATE_ACL,
    ...attributes({
      name: SHADOW_BUCKET_PREFIX + bucket,
      owner: owner['owner-id'],
      ownerDisplayName: owner['owner-display-name'],
      transient: false,
      locationConstraint: null,
    }),
  };
}

/** The same bucket with some members changed. */
export function changedBucket(
  bucket: BucketAttributes,
  changes: Partial<BucketAttributes>,
): BucketAttributes {
  return { acl: PRIVATE_ACL, ...bucket, ...changes };
}

/** The same bucket, on its way out. */
export function withDeletedFlag(bucket: BucketAttributes): BucketAttributes {
  return changedBucket(bucket, { deleted: true });
}

function attributes(
  own: Pick<BucketAttributes, 'name' | 'owner' | 'ownerDisplayName' | 'transient' | 'locationConstraint'>,
): BucketAttributes {
  return {
    name: own.name,
    owner: own.owner,
    ownerDisplayName: own.ownerDisplayName,
    creationDate: new Date().toISOString(),
    mdBucketModelVersion: MODEL_VERSION,
    transient: own.transient,
    deleted: false,
    serverSideEncryption: null,
    versioningConfiguration: null,
    locationConstraint: own.locationConstraint,
    readLocationConstraint: null,
    cors: null,
    replicationConfiguration: null,
    lifecycleConfiguration: null,
    bucketPolicy: null,
    uid: randomUUID(),
    isNFS: null,
    ingestion: null,
    azureInfo: null,
    objectLockEnabled: false,
    objectLockConfiguration: null,
    notificationConfiguration: null,
    tags: [],
    quotaMax: 0,
  };
}

// --- the list of an account's buckets ------------------------------------------------------------

export function usersBucketKey(account: Account, bucketName: string): string {
  return `${account.canonicalId}${USERS_BUCKET_SEPARATOR}${bucketName}`;
}

/** The range of keys of one account, as CloudServer reads it. */
export function usersBucketRange(account: Account): { gte: string; lt: string } {
  const gte = usersBucketKey(account, '');
  return { gte, lt: `${gte.slice(0, -1)}/` };
}

export interface UsersBucketEntry {
  readonly creationDate: string;
  readonly ingestion: object | null;
}

export function usersBucketEntry(): UsersBucketEntry {
  return { creationDate: new Date().toISOString(), ingestion: null };
}
