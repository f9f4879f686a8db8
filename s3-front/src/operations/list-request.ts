/** What the calls that list a bucket have in common. */
import { escapeUriPath } from '../auth/canonical-uri.js';
import { S3Error } from '../s3-errors.js';
import type { XmlElement } from '../xml.js';
import type { S3Request } from './operation.js';

const MAX_KEYS = 1000;

export interface ListRequest {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  /** Writes a text that may hold anything in the way that the client asked for. */
  readonly encode: (text: string) => string;
  readonly encoding: XmlElement;
}

/** @throws S3Error InvalidArgument */
export function readListRequest({ query }: S3Request): ListRequest {
  const maxKeys = query.get('max-keys') ?? String(MAX_KEYS);
  if (!/^\d{1,10}$/.test(maxKeys)) {
    throw new S3Error('InvalidArgument', 'max-keys must be a whole number from 0 on');
  }
  const encodingType = query.get('encoding-type');
  if (encodingType !== undefined && encodingType !== 'url') {
    throw new S3Error('InvalidArgument', 'encoding-type must be url');
  }
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    maxKeys: Math.min(MAX_KEYS, Number(maxKeys)),
    encode: encodingType === undefined ? text => text : escapeUriPath,
    encoding: encodingType === undefined ? {} : { EncodingType: encodingType },
  };
}
