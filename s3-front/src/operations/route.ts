/** Which operation a request asks for, by its method, what it names, and its sub-resource. */
import { checkBucketName } from '../bucket-name.js';
import type { RequestTarget } from '../http/request-target.js';
import { S3Error } from '../s3-errors.js';
import { type Level, NOT_OFFERED, OPERATIONS, type Route } from './operations.js';

export interface RoutedRequest {
  readonly method: string;
  readonly target: RequestTarget;
  readonly isCopy: boolean;
}

/** @throws S3Error MethodNotAllowed, NotImplemented, InvalidBucketName */
export function routeOf({ method, target, isCopy }: RoutedRequest): Route {
  const { bucket, key, query } = target;
  if (bucket === undefined && key !== undefined) {
    throw new S3Error('InvalidBucketName', 'The path must begin with the name of a bucket');
  }
  if (bucket !== undefined) checkBucketName(bucket);
  const level = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object';
  const asked = query.names().filter(name => SUB_RESOURCES[level].has(name));
  const route = OPERATIONS.find(
    row =>
      row.method === method &&
      row.level === level &&
      (row.isCopy !== true || isCopy) &&
      (row.with ?? []).every(part => {
        const [name = '', value] = part.split('=');
        return value === undefined ? query.has(name) : query.get(name) === value;
      }),
  );
  const meant = [...(route?.with ?? []).map(nameOf), ...(route?.reads ?? [])];
  const other = asked.find(name => !meant.includes(name));
  if (other !== undefined) {
    throw new S3Error('NotImplemented', `This endpoint does not offer ${method.slice(0, 20)} with ${other}`);
  }
  if (!route) throw new S3Error('MethodNotAllowed');
  return route;
}

function nameOf(part: string): string {
  return part.split('=', 1)[0] ?? part;
}

/** The parameters that change what is asked for, by level. */
const SUB_RESOURCES: Readonly<Record<Level, ReadonlySet<string>>> = {
  service: subResources('service'),
  bucket: subResources('bucket'),
  object: subResources('object'),
};

function subResources(level: Level): ReadonlySet<string> {
  const offered = OPERATIONS.filter(row => row.level === level);
  return new Set([
    ...NOT_OFFERED[level],
    ...offered.flatMap(row => [...(row.with ?? []).map(nameOf), ...(row.reads ?? [])]),
  ]);
}
