import type { IncomingHttpHeaders } from 'node:http';
import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import {
  type ContentHeaders,
  contentHeadersOf,
  type Location,
  newObjectValue,
  type ObjectValue,
  type Tags,
} from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { checksumElements } from './checksum-elements.js';
import { buildXml } from '../xml.js';
import { checkCopySourceConditions, checkWriteConditions, etagOf } from './conditions.js';
import { creationTimeOf, existing } from './current-object.js';
import { findWritableBucket, usable } from './find-bucket.js';
import { readContentHeaders, refuseUnkeptPromises } from './object-headers.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';
import { copyData } from './copy-data.js';
import { parseCopySource } from './copy-source.js';
import type { ObjectName } from './find-object.js';
import { parseTaggingHeader } from './tag-set.js';
import { type Held, holdObject, putCurrent, versionHeader, withNewData } from './write-object.js';
import type { WritePlan } from './write-plan.js';

/** What the copy has in place of the source's own; `undefined`: as the source. */
interface Replacements {
  readonly content: ContentHeaders | undefined;
  readonly tags: Tags | undefined;
}

interface Copied {
  readonly value: ObjectValue;
  readonly versionId: string | undefined;
  readonly sourceVersionId?: string | undefined;
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
  const ontoItself =
    source.bucket === request.bucket && source.key === request.key && source.versionId === undefined;
  if (ontoItself) usable(bucket, request, 'source');
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
  const { value, versionId, sourceVersionId } = copied;
  const { headers: xml, ...response } = xmlResponse(
    buildXml('CopyObjectResult', {
      LastModified: value['last-modified'],
      ETag: etagOf(value),
      ...checksumElements(value.checksum),
    }),
  );
  return {
    ...response,
    headers: {
      ...xml,
      ...versionHeader(versionId),
      ...(sourceVersionId !== undefined && { 'x-amz-copy-source-version-id': sourceVersionId }),
    },
  };
};

async function copyFrom(
  front: Front,
  request: S3Request,
  name: ObjectName,
  replacements: Replacements,
): Promise<Copied> {
  const { source, versionId, locations } = await copyData(front, request, name, found => {
    checkCopySourceConditions(request.headers, found);
  });
  const copied = await withNewData(front, request, locations, () =>
    storeCopy(front, request, replacements, () => ({ source, locations })),
  );
  return { ...copied, sourceVersionId: versionId };
}

async function replaceHeaders(front: Front, request: S3Request, replacements: Replacements): Promise<Copied> {
  return storeCopy(front, request, replacements, ({ bucket, current }) => {
    if (!current) throw new S3Error('NoSuchKey');
    if (bucket.versioningConfiguration) {
      throw new S3Error('SlowDown', 'The versioning of the bucket has just changed; please try again');
    }
    checkCopySourceConditions(request.headers, current);
    // It is made of the same data still: who completes that upload again must find it.
    return { source: current, locations: current.location ?? [], uploadId: current.uploadId };
  });
}

/** Stores the copy of what `choose` says, given the object that is there while its key is held. */
async function storeCopy(
  front: Front,
  request: S3Request,
  { content, tags }: Replacements,
  choose: (held: Held) => {
    source: ObjectValue;
    locations: readonly Location[];
    uploadId?: string | undefined;
  },
): Promise<Copied> {
  const { key, headers } = request;
  let value: ObjectValue | undefined;
  const { freed, versionId } = await holdObject(front, request, key, held => {
    const current = existing(held.current);
    checkWriteConditions(headers, current);
    const { source, locations, uploadId } = choose({ ...held, current });
    const now = new Date();
    const build = (members: WritePlan['members']): ObjectValue => {
      value = newObjectValue({
        account: request.account,
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
        uploadId,
        checksum: source.checksum,
        ...members,
      });
      return value;
    };
    return putCurrent(front, request, key, held, build);
  });
  await front.replaced.remove(freed);
  if (!value) throw new S3Error('InternalError');
  return { value, versionId };
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
