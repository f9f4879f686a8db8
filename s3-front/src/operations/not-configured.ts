/** What S3 answers about a bucket for which nothing of the kind is configured, one row each. */
import type { BucketAttributes } from '../bucket-attributes.js';
import { S3Error, type S3ErrorCode } from '../s3-errors.js';
import { buildXml, type XmlElement } from '../xml.js';
import { findBucket } from './find-bucket.js';
import { findObject } from './find-object.js';
import { type Operation, xmlResponse } from './operation.js';
import type { Route } from './operations.js';

interface NotConfigured {
  readonly name: string;
  /** The operation that deletes it, in vain. */
  readonly deletion?: string;
  readonly subResource: string;
  /** The attribute of the bucket that holds what CloudServer has configured. */
  readonly attribute?: string;
  /** The error that S3 answers, or the root and the content of its answer. */
  readonly answer: S3ErrorCode | readonly [string, XmlElement];
}

const ROWS: readonly NotConfigured[] = [
  {
    name: 'GetBucketAccelerateConfiguration',
    subResource: 'accelerate',
    answer: ['AccelerateConfiguration', {}],
  },
  {
    name: 'GetBucketCors',
    deletion: 'DeleteBucketCors',
    subResource: 'cors',
    attribute: 'cors',
    answer: 'NoSuchCORSConfiguration',
  },
  {
    name: 'GetBucketEncryption',
    deletion: 'DeleteBucketEncryption',
    subResource: 'encryption',
    attribute: 'serverSideEncryption',
    answer: 'ServerSideEncryptionConfigurationNotFoundError',
  },
  {
    name: 'GetBucketLifecycleConfiguration',
    deletion: 'DeleteBucketLifecycle',
    subResource: 'lifecycle',
    attribute: 'lifecycleConfiguration',
    answer: 'NoSuchLifecycleConfiguration',
  },
  { name: 'GetBucketLogging', subResource: 'logging', answer: ['BucketLoggingStatus', {}] },
  {
    name: 'GetBucketNotificationConfiguration',
    subResource: 'notification',
    attribute: 'notificationConfiguration',
    answer: ['NotificationConfiguration', {}],
  },
  {
    name: 'GetBucketOwnershipControls',
    subResource: 'ownershipControls',
    answer: ['OwnershipControls', { Rule: { ObjectOwnership: 'BucketOwnerEnforced' } }],
  },
  {
    name: 'GetBucketPolicy',
    deletion: 'DeleteBucketPolicy',
    subResource: 'policy',
    attribute: 'bucketPolicy',
    answer: 'NoSuchBucketPolicy',
  },
  {
    name: 'GetBucketPolicyStatus',
    subResource: 'policyStatus',
    attribute: 'bucketPolicy',
    answer: 'NoSuchBucketPolicy',
  },
  {
    name: 'GetBucketReplication',
    deletion: 'DeleteBucketReplication',
    subResource: 'replication',
    attribute: 'replicationConfiguration',
    answer: 'ReplicationConfigurationNotFoundError',
  },
  {
    name: 'GetBucketRequestPayment',
    subResource: 'requestPayment',
    answer: ['RequestPaymentConfiguration', { Payer: 'BucketOwner' }],
  },
  {
    name: 'GetBucketWebsite',
    deletion: 'DeleteBucketWebsite',
    subResource: 'website',
    attribute: 'websiteConfiguration',
    answer: 'NoSuchWebsiteConfiguration',
  },
  {
    name: 'GetObjectLockConfiguration',
    subResource: 'object-lock',
    attribute: 'objectLockConfiguration',
    answer: 'ObjectLockConfigurationNotFoundError',
  },
  {
    name: 'GetPublicAccessBlock',
    deletion: 'DeletePublicAccessBlock',
    subResource: 'publicAccessBlock',
    answer: 'NoSuchPublicAccessBlockConfiguration',
  },
];

const withoutObjectLock: Operation = async (front, request) => {
  const { bucket } = await findObject(front, request);
  refuseConfigured(bucket, 'objectLockConfiguration', 'object-lock');
  throw new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration');
};

/** The routes of all rows. */
export const NOT_CONFIGURED: readonly Route[] = [
  ...ROWS.flatMap((row): Route[] => {
    const route = { level: 'bucket', with: [row.subResource] } as const;
    const read: Route = { ...route, name: row.name, method: 'GET', run: answerOf(row) };
    if (row.deletion === undefined) return [read];
    return [read, { ...route, name: row.deletion, method: 'DELETE', run: deletionOf(row) }];
  }),
  ...(['legal-hold', 'retention'] as const).map((subResource): Route => ({
    name: subResource === 'retention' ? 'GetObjectRetention' : 'GetObjectLegalHold',
    method: 'GET',
    level: 'object',
    with: [subResource],
    reads: ['versionId'],
    run: withoutObjectLock,
  })),
];

function answerOf({ attribute, answer, subResource }: NotConfigured): Operation {
  return async (front, request) => {
    refuseConfigured(await findBucket(front, request), attribute, subResource);
    if (typeof answer === 'string') throw new S3Error(answer);
    return xmlResponse(buildXml(...answer));
  };
}

/** As in S3, deleting what is not there succeeds. */
function deletionOf({ attribute, subResource }: NotConfigured): Operation {
  return async (front, request) => {
    refuseConfigured(await findBucket(front, request), attribute, subResource);
    return { status: 204 };
  };
}

/** What CloudServer has configured is not known here, and must not be said to be absent. */
function refuseConfigured(
  bucket: BucketAttributes,
  attribute: string | undefined,
  subResource: string,
): void {
  if (attribute === undefined || bucket[attribute] === undefined || bucket[attribute] === null) return;
  throw new S3Error(
    'NotImplemented',
    `The bucket has a configuration of ${subResource}: only CloudServer can read or delete it`,
  );
}
