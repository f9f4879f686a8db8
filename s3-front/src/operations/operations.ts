/** Every operation of S3 that the front offers, one row each. The reference page's list is written from it. */
import { getBucketAcl, getObjectAcl, putBucketAcl, putObjectAcl } from './access-control.js';
import { deleteBucketTagging, getBucketTagging, putBucketTagging } from './bucket-tagging.js';
import { abortMultipartUpload } from '../multipart/abort-upload.js';
import { completeMultipartUpload } from '../multipart/complete-upload.js';
import { createMultipartUpload } from '../multipart/create-upload.js';
import { listParts } from '../multipart/list-parts.js';
import { listMultipartUploads } from '../multipart/list-uploads.js';
import { uploadPart, uploadPartCopy } from '../multipart/upload-part.js';
import {
  getBucketLocation,
  getBucketVersioning,
  headBucket,
  putBucketVersioning,
} from './bucket-properties.js';
import { copyObject } from './copy-object.js';
import { createBucket } from './create-bucket.js';
import { deleteBucket } from './delete-bucket.js';
import { deleteObject } from './delete-object.js';
import { deleteObjects } from './delete-objects.js';
import { getObject, headObject } from './get-object.js';
import { getObjectAttributes } from './get-object-attributes.js';
import { listBuckets } from './list-buckets.js';
import { listObjectVersions } from './list-object-versions.js';
import { listObjectsV1, listObjectsV2 } from './list-objects.js';
import { NOT_CONFIGURED } from './not-configured.js';
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './object-tagging.js';
import type { Operation } from './operation.js';
import { putObject } from './put-object.js';

/** What the path of a request names. */
export type Level = 'service' | 'bucket' | 'object';

export interface Route {
  /** The name of the operation in the documentation of S3, for logs and metrics too. */
  readonly name: string;
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  readonly level: Level;
  /** Parameters that must be in the query, `name` or `name=value`: the sub-resource. */
  readonly with?: readonly string[];
  /** Parameters that would be sub-resources elsewhere and that this operation reads. */
  readonly reads?: readonly string[];
  /** Only with the header `x-amz-copy-source`. */
  readonly isCopy?: true;
  readonly run: Operation;
}

/** Of several rows that fit a request, the first is meant. */
export const OPERATIONS: readonly Route[] = [
  { name: 'ListBuckets', method: 'GET', level: 'service', run: listBuckets },
  ...NOT_CONFIGURED,
  { name: 'GetBucketAcl', method: 'GET', level: 'bucket', with: ['acl'], run: getBucketAcl },
  { name: 'PutBucketAcl', method: 'PUT', level: 'bucket', with: ['acl'], run: putBucketAcl },
  { name: 'GetBucketTagging', method: 'GET', level: 'bucket', with: ['tagging'], run: getBucketTagging },
  { name: 'PutBucketTagging', method: 'PUT', level: 'bucket', with: ['tagging'], run: putBucketTagging },
  {
    name: 'DeleteBucketTagging',
    method: 'DELETE',
    level: 'bucket',
    with: ['tagging'],
    run: deleteBucketTagging,
  },
  { name: 'GetBucketLocation', method: 'GET', level: 'bucket', with: ['location'], run: getBucketLocation },
  {
    name: 'GetBucketVersioning',
    method: 'GET',
    level: 'bucket',
    with: ['versioning'],
    run: getBucketVersioning,
  },
  {
    name: 'ListMultipartUploads',
    method: 'GET',
    level: 'bucket',
    with: ['uploads'],
    run: listMultipartUploads,
  },
  {
    name: 'ListObjectVersions',
    method: 'GET',
    level: 'bucket',
    with: ['versions'],
    run: listObjectVersions,
  },
  { name: 'ListObjectsV2', method: 'GET', level: 'bucket', with: ['list-type=2'], run: listObjectsV2 },
  { name: 'ListObjects', method: 'GET', level: 'bucket', reads: ['list-type'], run: listObjectsV1 },
  { name: 'HeadBucket', method: 'HEAD', level: 'bucket', run: headBucket },
  {
    name: 'PutBucketVersioning',
    method: 'PUT',
    level: 'bucket',
    with: ['versioning'],
    run: putBucketVersioning,
  },
  { name: 'CreateBucket', method: 'PUT', level: 'bucket', run: createBucket },
  { name: 'DeleteBucket', method: 'DELETE', level: 'bucket', run: deleteBucket },
  { name: 'DeleteObjects', method: 'POST', level: 'bucket', with: ['delete'], run: deleteObjects },
  {
    name: 'GetObjectTagging',
    method: 'GET',
    level: 'object',
    with: ['tagging'],
    reads: ['versionId'],
    run: getObjectTagging,
  },
  {
    name: 'GetObjectAcl',
    method: 'GET',
    level: 'object',
    with: ['acl'],
    reads: ['versionId'],
    run: getObjectAcl,
  },
  {
    name: 'PutObjectAcl',
    method: 'PUT',
    level: 'object',
    with: ['acl'],
    reads: ['versionId'],
    run: putObjectAcl,
  },
  {
    name: 'GetObjectAttributes',
    method: 'GET',
    level: 'object',
    with: ['attributes'],
    reads: ['versionId'],
    run: getObjectAttributes,
  },
  { name: 'ListParts', method: 'GET', level: 'object', with: ['uploadId'], run: listParts },
  { name: 'GetObject', method: 'GET', level: 'object', reads: ['partNumber', 'versionId'], run: getObject },
  {
    name: 'HeadObject',
    method: 'HEAD',
    level: 'object',
    reads: ['partNumber', 'versionId'],
    run: headObject,
  },
  {
    name: 'PutObjectTagging',
    method: 'PUT',
    level: 'object',
    with: ['tagging'],
    reads: ['versionId'],
    run: putObjectTagging,
  },
  {
    name: 'UploadPartCopy',
    method: 'PUT',
    level: 'object',
    with: ['uploadId', 'partNumber'],
    isCopy: true,
    run: uploadPartCopy,
  },
  {
    name: 'UploadPart',
    method: 'PUT',
    level: 'object',
    with: ['uploadId', 'partNumber'],
    run: uploadPart,
  },
  { name: 'CopyObject', method: 'PUT', level: 'object', isCopy: true, run: copyObject },
  { name: 'PutObject', method: 'PUT', level: 'object', run: putObject },
  {
    name: 'CreateMultipartUpload',
    method: 'POST',
    level: 'object',
    with: ['uploads'],
    run: createMultipartUpload,
  },
  {
    name: 'CompleteMultipartUpload',
    method: 'POST',
    level: 'object',
    with: ['uploadId'],
    run: completeMultipartUpload,
  },
  {
    name: 'AbortMultipartUpload',
    method: 'DELETE',
    level: 'object',
    with: ['uploadId'],
    run: abortMultipartUpload,
  },
  {
    name: 'DeleteObjectTagging',
    method: 'DELETE',
    level: 'object',
    with: ['tagging'],
    reads: ['versionId'],
    run: deleteObjectTagging,
  },
  { name: 'DeleteObject', method: 'DELETE', level: 'object', reads: ['versionId'], run: deleteObject },
];

/**
 * Parameters that name something that the front does not offer, of S3 and of CloudServer. One of them changes what
 * is asked for, so it is refused; any other parameter that no operation reads is ignored, as in S3.
 */
export const NOT_OFFERED: Readonly<Record<Level, readonly string[]>> = {
  service: [],
  bucket: [
    'abac',
    'analytics',
    'intelligent-tiering',
    'inventory',
    'metadataConfiguration',
    'metadataInventoryTable',
    'metadataJournalTable',
    'metadataTable',
    'metrics',
    'quota',
    'search',
    'session',
  ],
  object: ['encryption', 'renameObject', 'restore', 'select', 'torrent'],
};
