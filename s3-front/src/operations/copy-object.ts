import type { IncomingHttpHeaders } from 'node:http';
import { checkBucketName } from '../bucket-name.js';
import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import {
  type ContentHeaders,
  contentHeadersOf,
  type Location,
  newObjectValue,
  type ObjectValue,
  type Tags,
} from '../object-value.js';
import { checkKey } from '../object-key.js';
import { S3Error } from '../s3-errors.js';
import { buildXml } from '../xml.js';
import { checkCopySourceConditions, checkWriteConditions, etagOf } from './conditions.js';
import { creationTimeOf, existing } from './current-object.js';
import { findWritableBucket } from './find-bucket.js';
import { readContentHeaders, refuseUnkeptPromises } from './object-headers.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';
import { copyData } from './copy-data.js';
import { parseTaggingHeader } from './tag-set.js';
import { type Held, holdObject, putCurrent, removeData, withNewData } from './write-object.js';

interface CopySource {
  readonly bucket: string;
  readonly key: string;
}

/** What the copy has in place of the source's own; `undefined`: as the source. */
interface Replacements {
  readonly content: ContentHeaders | undefined;
  readonly tags: Tags | undefined;
}

/** CopyObject: the data is copied, unless an object is copied onto itself to change what is said about it. */
export const copyObject: Operation = async (front, request) => {
  const { headers } = request;
  refuseUnkeptPromises(headers);
  const source = parseCopySource(String(headers['x-amz-copy-source']));
  const replacements = readReplacements(headers);
  const bucket = await findWritableBucket(front, request);
  // A copy takes its time, in which the client has nothing to send.
  request.message.socket.setTimeout(0);
  const ontoItself = source.bucket === request.bucket && source.key === request.key;
  if (ontoItself && replacements.content === undefined && replacements.tags === undefined) {
    throw new S3Error(
      'InvalidRequest',
      'A copy of an object onto itself must replace its metadata or its tags (x-amz-metadata-directive: REPLACE)',
    );
  }
  // Two versions must not share their data, or deleting one would take it from the other.
  const inPlace = ontoItself && !bucket.versioningConfiguration;
  const copied = inPlace
    ? await replaceHeaders(front, request, replacements)
    : await copyFrom(front, request, source, replacements);
  return xmlResponse(
    buildXml('CopyObjectResult', { LastModified: copied['last-modified'], ETag: etagOf(copied) }),
  );
};

async function copyFrom(
  front: Front,
  request: S3Request,
  name: CopySource,
  replacements: Replacements,
): Promise<ObjectValue> {
  const { source, locations } = await copyData(front, request, name, found => {
    checkCopySourceConditions(request.headers, found);
  });
  return withNewData(front, request, locations, () =>
    storeCopy(front, request, replacements, () => ({ source, locations })),
  );
}

async function replaceHeaders(
  front: Front,
  request: S3Request,
  replacements: Replacements,
): Promise<ObjectValue> {
  return storeCopy(front, request, replacements, ({ bucket, current }) => {
    if (!current) throw new S3Error('NoSuchKey');
    if (bucket.versioningConfiguration) {
      throw new S3Error('SlowDown', 'The versioning of the bucket has just changed; please try again');
    }
    checkCopySourceConditions(request.headers, current);
    return { source: current, locations: current.location ?? [] };
  });
}

/** Stores the copy of what `choose` says, given the object that is there while its key is held. */
async function storeCopy(
  front: Front,
  request: S3Request,
  { content, tags }: Replacements,
  choose: (held: Held) => { source: ObjectValue; locations: readonly Location[] },
): Promise<ObjectValue> {
  const { key, headers } = request;
  let stored: ObjectValue | undefined;
  const freed = await holdObject(front, request, key, held => {
    const current = existing(held.current);
    checkWriteConditions(headers, current);
    const { source, locations } = choose({ ...held, current });
    const now = new Date();
    return putCurrent(front, request, key, held, members => {
      stored = newObjectValue({
        account: front.account,
        key,
        size: source['content-length'],
        md5: source['content-md5'],
        headers: content ?? contentHeadersOf(source),
        location: locations.length === 0 ? null : locations,
        tags: tags ?? source.tags ?? {},
        dataStoreName: held.bucket.locationConstraint ?? DEFAULT_LOCATION,
        originOp: 's3:ObjectCreated:Copy',
        now,
        creationTime: creationTimeOf(held.current) ?? now.toISOString(),
        isDeleteMarker: undefined,
        ...members,
      });
      return stored;
    });
  });
  await removeData(front, request, freed);
  if (!stored) throw new S3Error('InternalError');
  return stored;
}

/** `/bucket/key` or `bucket/key`, percent-encoded. @throws S3Error InvalidArgument, NotImplemented */
function parseCopySource(header: string): CopySource {
  if (/\?versionId=[^?]*$/.test(header)) {
    throw new S3Error('NotImplemented', 'This endpoint does not copy old versions; CloudServer does');
  }
  let text: string;
  try {
    text = decodeURIComponent(header).replace(/^\//, '');
  } catch (err) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source must be percent-encoded UTF-8', { cause: err });
  }
  const slash = text.indexOf('/');
  const key = text.slice(slash + 1);
  if (slash < 1 || key === '') {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source must be /bucket/key');
  }
  const bucket = text.slice(0, slash);
  checkBucketName(bucket);
  checkKey(key);
  return { bucket, key };
}

function readReplacements(headers: IncomingHttpHeaders): Replacements {
  const replaced = (name: string): boolean => {
    const directive = headers[name] ?? 'COPY';
    if (directive !== 'COPY' && directive !== 'REPLACE') {
      throw new S3Error('InvalidArgument', `${name} must be COPY or REPLACE`);
    }
    return directive === 'REPLACE';
  };
  const tagging = headers['x-amz-tagging'];
  return {
    content: replaced('x-amz-metadata-directive') ? readContentHeaders(headers) : undefined,
    tags: replaced('x-amz-tagging-directive')
      ? parseTaggingHeader(typeof tagging === 'string' ? tagging : '')
      : undefined,
  };
}
