/** Which operation a request asks for, by its method, what it names, and its parameters. */
import { S3Error } from '../s3-errors.js';
import { checkBucketName } from '../bucket-name.js';
import type { RequestTarget } from '../http/request-target.js';
import { getBucketLocation, getBucketVersioning, headBucket } from './bucket-properties.js';
import { copyObject } from './copy-object.js';
import { createBucket } from './create-bucket.js';
import { deleteBucket } from './delete-bucket.js';
import { deleteObject } from './delete-object.js';
import { deleteObjects } from './delete-objects.js';
import { getObject, headObject } from './get-object.js';
import { listBuckets } from './list-buckets.js';
import { listObjectsV1, listObjectsV2 } from './list-objects.js';
import { OVERRIDE_PARAMETERS } from './object-headers.js';
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './object-tagging.js';
import type { Operation } from './operation.js';
import { putObject } from './put-object.js';

export interface Route {
  /** The name of the operation in the documentation of S3, for logs and metrics. */
  readonly name: string;
  readonly run: Operation;
  /** Parameters that the operation reads. Any other is refused, for it would mean something else. */
  readonly parameters: readonly string[];
}

const LIST_PARAMETERS = ['prefix', 'delimiter', 'max-keys', 'encoding-type'];

const ROUTES = {
  listBuckets: {
    name: 'ListBuckets',
    run: listBuckets,
    parameters: ['prefix', 'max-buckets', 'continuation-token'],
  },
  createBucket: { name: 'CreateBucket', run: createBucket, parameters: [] },
  headBucket: { name: 'HeadBucket', run: headBucket, parameters: [] },
  deleteBucket: { name: 'DeleteBucket', run: deleteBucket, parameters: [] },
  getBucketLocation: { name: 'GetBucketLocation', run: getBucketLocation, parameters: ['location'] },
  getBucketVersioning: { name: 'GetBucketVersioning', run: getBucketVersioning, parameters: ['versioning'] },
  listObjectsV1: { name: 'ListObjects', run: listObjectsV1, parameters: [...LIST_PARAMETERS, 'marker'] },
  listObjectsV2: {
    name: 'ListObjectsV2',
    run: listObjectsV2,
    parameters: [...LIST_PARAMETERS, 'list-type', 'continuation-token', 'start-after', 'fetch-owner'],
  },
  deleteObjects: { name: 'DeleteObjects', run: deleteObjects, parameters: ['delete'] },
  putObject: { name: 'PutObject', run: putObject, parameters: [] },
  copyObject: { name: 'CopyObject', run: copyObject, parameters: [] },
  getObject: { name: 'GetObject', run: getObject, parameters: OVERRIDE_PARAMETERS },
  headObject: { name: 'HeadObject', run: headObject, parameters: OVERRIDE_PARAMETERS },
  deleteObject: { name: 'DeleteObject', run: deleteObject, parameters: [] },
  getObjectTagging: { name: 'GetObjectTagging', run: getObjectTagging, parameters: ['tagging'] },
  putObjectTagging: { name: 'PutObjectTagging', run: putObjectTagging, parameters: ['tagging'] },
  deleteObjectTagging: { name: 'DeleteObjectTagging', run: deleteObjectTagging, parameters: ['tagging'] },
} as const satisfies Record<string, Route>;

/** Parameters of every operation: the signature of a presigned URL, and the name that SDKs add. */
const COMMON_PARAMETERS = /^(x-id|X-Amz-[A-Za-z0-9-]+)$/;

export interface RoutedRequest {
  readonly method: string;
  readonly target: RequestTarget;
  /** Headers of S3 may stand in the query. */
  readonly presigned: boolean;
  readonly isCopy: boolean;
}

/** @throws S3Error MethodNotAllowed, NotImplemented, InvalidBucketName */
export function routeOf({ method, target, presigned, isCopy }: RoutedRequest): Route {
  if (target.bucket === undefined && target.key !== undefined) {
    throw new S3Error('InvalidBucketName', 'The path must begin with the name of a bucket');
  }
  if (target.bucket !== undefined) checkBucketName(target.bucket);
  const route = find(method, target, isCopy);
  const known: readonly string[] = route?.parameters ?? [];
  const other = target.query
    .names()
    .find(
      name =>
        !COMMON_PARAMETERS.test(name) && !known.includes(name) && !(presigned && name.startsWith('x-amz-')),
    );
  if (other !== undefined) {
    throw new S3Error('NotImplemented', `This endpoint does not offer ${method} with ${other.slice(0, 100)}`);
  }
  if (!route) throw new S3Error('MethodNotAllowed');
  return route;
}

function find(method: string, { bucket, key, query }: RequestTarget, isCopy: boolean): Route | undefined {
  if (bucket === undefined) return method === 'GET' ? ROUTES.listBuckets : undefined;
  if (key === undefined) {
    switch (method) {
      case 'GET':
        if (query.has('location')) return ROUTES.getBucketLocation;
        if (query.has('versioning')) return ROUTES.getBucketVersioning;
        return query.get('list-type') === '2' ? ROUTES.listObjectsV2 : ROUTES.listObjectsV1;
      case 'HEAD':
        return ROUTES.headBucket;
      case 'PUT':
        return ROUTES.createBucket;
      case 'DELETE':
        return ROUTES.deleteBucket;
      case 'POST':
        return query.has('delete') ? ROUTES.deleteObjects : undefined;
      default:
        return undefined;
    }
  }
  const tagging = query.has('tagging');
  switch (method) {
    case 'GET':
      return tagging ? ROUTES.getObjectTagging : ROUTES.getObject;
    case 'HEAD':
      return ROUTES.headObject;
    case 'PUT':
      if (tagging) return ROUTES.putObjectTagging;
      return isCopy ? ROUTES.copyObject : ROUTES.putObject;
    case 'DELETE':
      return tagging ? ROUTES.deleteObjectTagging : ROUTES.deleteObject;
    default:
      return undefined;
  }
}
