/** Access control lists, of which there is one: all is for the owner alone. */
import { S3Error } from '../s3-errors.js';
import { buildXml } from '../xml.js';
import { findBucket } from './find-bucket.js';
import { findObject } from './find-object.js';
import { refuseUnkeptPromises } from './object-headers.js';
import { type Operation, type S3Request, xmlResponse, type S3Response } from './operation.js';

interface Owner {
  readonly id: string;
  readonly displayName: string;
}

export const getBucketAcl: Operation = async (front, request) => {
  const { owner, ownerDisplayName } = await findBucket(front, request);
  return aclOf({ id: owner, displayName: ownerDisplayName });
};

export const getObjectAcl: Operation = async (front, request) => {
  const { object } = await findObject(front, request);
  return aclOf({ id: object['owner-id'], displayName: object['owner-display-name'] });
};

/** An access control list that says what is so anyhow. */
export const putBucketAcl: Operation = async (front, request) => {
  await findBucket(front, request);
  return keptAcl(request);
};

export const putObjectAcl: Operation = async (front, request) => {
  await findObject(front, request);
  return keptAcl(request);
};

function keptAcl({ headers }: S3Request): S3Response {
  refuseUnkeptPromises(headers);
  if (headers['x-amz-acl'] === undefined) {
    throw new S3Error(
      'NotImplemented',
      'This endpoint takes an access control list as x-amz-acl: private alone',
    );
  }
  return { status: 200 };
}

function aclOf({ id, displayName }: Owner): S3Response {
  return xmlResponse(
    buildXml('AccessControlPolicy', {
      Owner: { ID: id, DisplayName: displayName },
      AccessControlList: {
        Grant: {
          Grantee: {
            '@xmlns:xsi': 'http://www.w3.org/2001/XMLSchema-instance',
            '@xsi:type': 'CanonicalUser',
            ID: id,
            DisplayName: displayName,
          },
          Permission: 'FULL_CONTROL',
        },
      },
    }),
  );
}
