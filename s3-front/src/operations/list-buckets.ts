import {
  usersBucketKey,
  usersBucketRange,
  type UsersBucketEntry,
  USERS_BUCKET,
} from '../bucket-attributes.js';
import { decodeToken, encodeToken } from '../listing/continuation-token.js';
import { S3Error } from '../s3-errors.js';
import { buildXml, type XmlElement } from '../xml.js';
import { type Operation, xmlResponse } from './operation.js';

const MAX_BUCKETS = 10_000;

/** ListBuckets, from the list that CloudServer keeps for each account. */
export const listBuckets: Operation = async ({ metadata }, { account, query, reqUids }) => {
  const prefix = query.get('prefix') ?? '';
  const maxBuckets = readMaxBuckets(query.get('max-buckets'));
  const token = query.get('continuation-token');
  const after = token === undefined ? '' : decodeToken(token);
  const start = usersBucketKey(account, '');
  const all = usersBucketRange(account);
  const range = after === '' ? all : { gt: start + after, lt: all.lt };

  const buckets: XmlElement[] = [];
  let last = '';
  let more = false;
  for await (const { key, value } of metadata.read(USERS_BUCKET, range, reqUids)) {
    const name = key.slice(start.length);
    if (!name.startsWith(prefix)) continue;
    more = buckets.length === maxBuckets;
    if (more) break;
    const { creationDate } = JSON.parse(value) as UsersBucketEntry;
    buckets.push({ Name: name, CreationDate: creationDate });
    last = name;
  }
  return xmlResponse(
    buildXml('ListAllMyBucketsResult', {
      Owner: { ID: account.canonicalId, DisplayName: account.displayName },
      Buckets: buckets.length === 0 ? '' : { Bucket: buckets },
      ContinuationToken: more ? encodeToken(last) : undefined,
      Prefix: prefix === '' ? undefined : prefix,
    }),
  );
};

function readMaxBuckets(text: string | undefined): number {
  if (text === undefined) return MAX_BUCKETS;
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MAX_BUCKETS) {
    throw new S3Error('InvalidArgument', `max-buckets must be a whole number from 1 to ${MAX_BUCKETS}`);
  }
  return count;
}
