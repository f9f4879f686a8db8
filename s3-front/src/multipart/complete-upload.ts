import { randomUUID } from 'node:crypto';
import { escapeUriPath } from '../auth/canonical-uri.js';
import { CHECKSUM_HEADER_PREFIX } from '../body/checksums.js';
import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import {
  contentHeadersOf,
  type Location,
  newObjectValue,
  type ObjectChecksum,
  type ObjectValue,
} from '../object-value.js';
import { endpointOf } from '../http/landing-page.js';
import { checksumElements } from '../operations/checksum-elements.js';
import { checkWriteConditions, etagOf } from '../operations/conditions.js';
import { creationTimeOf, existing } from '../operations/current-object.js';
import { findWritableBucket } from '../operations/find-bucket.js';
import { type Front, type Operation, type S3Request, xmlResponse } from '../operations/operation.js';
import { parseTaggingHeader } from '../operations/tag-set.js';
import {
  dropVersion,
  holdObject,
  putCurrent,
  type Stored,
  versionHeader,
  versionIdOf,
} from '../operations/write-object.js';
import type { WritePlan } from '../operations/write-plan.js';
import { S3Error } from '../s3-errors.js';
import { encodeVersionId } from '../version-id.js';
import { buildXml } from '../xml.js';
import {
  chooseParts,
  parseComplete,
  refuseWithoutChecksums,
  type RequestedPart,
  sizeOfParts,
} from './complete-request.js';
import { multipartEtag, objectChecksum } from './object-checksum.js';
import { findCompleted, removeUpload, versionsMadeFrom } from './upload-data.js';
import { uploadName } from './upload-request.js';
import { holdUpload, type UploadName, UploadStore } from './upload-store.js';
import type { NumberedPart, Upload } from './upload-values.js';

/** Ten thousand parts with a checksum each. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

interface Completed {
  readonly value: ObjectValue;
  readonly versionId: string | undefined;
}

/**
 * CompleteMultipartUpload. The upload is marked, then the object is stored, then what is left of the upload goes:
 * cut short at any moment there is the old object or the new one, and a second try finds which.
 */
export const completeMultipartUpload: Operation = async (front, request) => {
  const name = uploadName(request);
  const requested = parseComplete(await request.body().text(MAX_BODY_BYTES));
  await findWritableBucket(front, request);
  // With many parts it takes its time, in which the client has nothing to send.
  request.message.socket.setTimeout(0);
  const { value, versionId } = await holdUpload(front, name.uploadId, () =>
    complete(front, request, name, requested),
  );
  const { bucket, key } = request;
  const response = xmlResponse(
    buildXml('CompleteMultipartUploadResult', {
      Location: `${endpointOf(request.message)}/${bucket}/${escapeUriPath(key)}`,
      Bucket: bucket,
      Key: key,
      ETag: etagOf(value),
      ...checksumElements(value.checksum),
    }),
  );
  return { ...response, headers: { ...response.headers, ...versionHeader(versionId) } };
};

async function complete(
  front: Front,
  request: S3Request,
  name: UploadName,
  requested: readonly RequestedPart[],
): Promise<Completed> {
  const store = new UploadStore(front, request.reqUids);
  const upload = await store.find(name);
  if (!upload || upload.completeInProgress === true) {
    const done = await findDone(front, request, name, requested);
    if (done && upload) await removeUpload(front, request, name);
    if (done) return done;
  }
  if (!upload || upload.abortInProgress === true) throw new S3Error('NoSuchUpload');
  const stored = new Map<number, NumberedPart>();
  for await (const part of store.parts(name)) stored.set(part.number, part);
  const parts = chooseParts(requested, stored);
  refuseWithoutChecksums(requested, upload, parts);
  const checksum = await checksumOf(request, upload, parts);
  // An object that was made from it may have been deleted since, and its data with it.
  if (upload.completeInProgress === true) await refuseLostData(front, request, parts);
  const completed = await storeObject(front, request, name, upload, parts, checksum);
  await removeUpload(front, request, name).catch((err: unknown) => {
    request.log.warn({ err, ...name }, 'what is left of a completed upload stays until it is swept');
  });
  return completed;
}

/** The object that an earlier try has made of the same parts. */
async function findDone(
  front: Front,
  request: S3Request,
  name: UploadName,
  requested: readonly RequestedPart[],
): Promise<Completed | undefined> {
  const value = await findCompleted(front, request, name);
  if (value?.['content-md5'] !== etagOfRequested(requested)) return undefined;
  return { value, versionId: versionIdOf(await findWritableBucket(front, request), value) };
}

function etagOfRequested(requested: readonly RequestedPart[]): string {
  return multipartEtag(requested.map(({ etag }) => etag));
}

async function storeObject(
  front: Front,
  request: S3Request,
  name: UploadName,
  upload: Upload,
  parts: readonly NumberedPart[],
  checksum: ObjectChecksum | undefined,
): Promise<Completed> {
  const { key, headers } = request;
  const location = locationsOfParts(parts, checksum);
  const now = new Date();
  const md5 = multipartEtag(parts.map(({ part }) => part['content-md5']));
  let value: ObjectValue | undefined;
  let mayHaveTwins = upload.completeInProgress === true;
  let isAgain = false;
  const { freed, versionId } = await holdObject(front, request, key, async (held): Promise<Stored> => {
    const { bucket, current } = held;
    // Of an earlier try, or of another front.
    if (isAgain && current?.uploadId === name.uploadId && current['content-md5'] === md5) {
      value = current;
      return { freed: [], versionId: versionIdOf(bucket, current) };
    }
    const store = new UploadStore(front, request.reqUids);
    // Another front may have aborted it.
    if (isAgain) await store.get(name);
    mayHaveTwins ||= isAgain;
    isAgain = true;
    checkWriteConditions(headers, existing(current));
    const marked = { ...upload, completeInProgress: true, completion: randomUUID() };
    const ifEntry = await store.put(name.bucket, marked);
    const build = (members: WritePlan['members']): ObjectValue => {
      value = newObjectValue({
        account: request.account,
        key,
        size: sizeOfParts(parts),
        md5,
        headers: contentHeadersOf(upload),
        location: location.length === 0 ? null : location,
        tags: parseTaggingHeader(upload['x-amz-tagging'] ?? ''),
        dataStoreName: bucket.locationConstraint ?? DEFAULT_LOCATION,
        originOp: 's3:ObjectCreated:CompleteMultipartUpload',
        now,
        creationTime: creationTimeOf(current) ?? now.toISOString(),
        isDeleteMarker: false,
        uploadId: name.uploadId,
        checksum,
        ...members,
      });
      return value;
    };
    // The data of an earlier try's object may have gone by the time that the try comes to store it.
    const stored = await putCurrent(front, request, key, held, build, { ifEntry });
    if (mayHaveTwins) await dropTwins(front, request, name, stored);
    return stored;
  });
  await front.replaced.remove(freed);
  if (!value) throw new S3Error('InternalError');
  return { value, versionId };
}

/**
 * What an earlier try wrote may have come late, after it was looked for and before what this one wrote: two versions would
 * share their data, and lose it with the first that is deleted.
 */
async function dropTwins(
  front: Front,
  request: S3Request,
  name: UploadName,
  { versionId: own }: Stored,
): Promise<void> {
  const twins = new Set<string>();
  for await (const { versionId, isNull } of versionsMadeFrom(front, request, name)) {
    if (versionId !== undefined && isNull !== true && encodeVersionId(versionId) !== own)
      twins.add(versionId);
  }
  for (const versionId of twins) await dropVersion(front, request, name.key, versionId);
}

/**
 * A part that was copied by CloudServer may have several blobs, each with its size. Where the object has a checksum,
 * the first blob of each part keeps that of the part.
 */
function locationsOfParts(parts: readonly NumberedPart[], ofObject: ObjectChecksum | undefined): Location[] {
  let start = 0;
  return parts.flatMap(({ number, part }) =>
    part.partLocations.map(({ key, dataStoreName, size = part['content-length'], ...more }, at) => {
      const location = { key, size, start, dataStoreName, dataStoreETag: `${number}:${part['content-md5']}` };
      start += size;
      const { dataStoreType, cryptoScheme } = more as Partial<Location>;
      const checksum = at === 0 && ofObject ? part.checksum?.value : undefined;
      return {
        ...location,
        ...(dataStoreType && { dataStoreType }),
        ...(checksum !== undefined && { checksum }),
        ...(cryptoScheme && { cryptoScheme }),
      };
    }),
  );
}

/** @throws S3Error BadDigest, InvalidRequest when the client expects another object */
async function checksumOf(
  { headers }: S3Request,
  { checksumAlgorithm, checksumType = 'COMPOSITE' }: Upload,
  parts: readonly NumberedPart[],
): Promise<ObjectChecksum | undefined> {
  const size = headers['x-amz-mp-object-size'];
  if (size !== undefined && size !== String(sizeOfParts(parts))) {
    throw new S3Error(
      'InvalidRequest',
      `The provided 'x-amz-mp-object-size' header value does not match what was computed`,
    );
  }
  const type = headers['x-amz-checksum-type'];
  if (type !== undefined && checksumAlgorithm !== undefined && type !== checksumType) {
    throw new S3Error('InvalidRequest', `The upload was begun with the checksum type ${checksumType}`);
  }
  if (checksumAlgorithm === undefined) return undefined;
  const checksum = await objectChecksum(checksumAlgorithm, checksumType, parts);
  const expected = headers[CHECKSUM_HEADER_PREFIX + checksumAlgorithm];
  if (expected === undefined || !checksum) return checksum;
  const computed = checksum.checksumValue;
  if (expected !== computed && expected !== computed.replace(/-\d+$/, '')) {
    throw new S3Error('BadDigest', `The object does not match ${CHECKSUM_HEADER_PREFIX}${checksumAlgorithm}`);
  }
  return checksum;
}

/** @throws S3Error NoSuchUpload */
async function refuseLostData(
  { data }: Front,
  { reqUids }: S3Request,
  parts: readonly NumberedPart[],
): Promise<void> {
  for (const { key } of parts.flatMap(({ part }) => part.partLocations)) {
    if (!(await data.has(key, reqUids))) throw new S3Error('NoSuchUpload');
  }
}
