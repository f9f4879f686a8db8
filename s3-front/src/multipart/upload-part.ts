import { createHash } from 'node:crypto';
import { type ChecksumName, CHECKSUMS } from '../body/checksums.js';
import type { BodyChecksum } from '../body/request-body.js';
import type { ByteRange, ByteSource } from '../byte-source.js';
import type { ObjectValue } from '../object-value.js';
import { CHECKSUM_ELEMENTS } from '../operations/checksum-elements.js';
import { checkCopySourceConditions } from '../operations/conditions.js';
import { parseCopySource } from '../operations/copy-source.js';
import { findWritableBucket } from '../operations/find-bucket.js';
import { refuseUnkeptPromises } from '../operations/object-headers.js';
import { type Front, type Operation, type S3Request, xmlResponse } from '../operations/operation.js';
import { openObject } from '../operations/read-data.js';
import { refuseLargeBody, storeData } from '../operations/store-data.js';
import { removeData, storing, withNewData } from '../operations/write-object.js';
import { S3Error } from '../s3-errors.js';
import { buildXml } from '../xml.js';
import { unreferenced } from './upload-data.js';
import { readPartNumber, uploadName } from './upload-request.js';
import { holdPart, type UploadName, UploadStore, withUpload } from './upload-store.js';
import { newPart, type Part, type Upload } from './upload-values.js';

/** What was stored for a part. */
interface PartData {
  readonly md5: string;
  readonly size: number;
  readonly dataKey: string | undefined;
  readonly checksum: BodyChecksum | undefined;
}

/** UploadPart: the data first, then the part that refers to it, then the data that it replaced goes. */
export const uploadPart: Operation = async (front, request) => {
  const { reqUids, headers } = request;
  refuseUnkeptPromises(headers);
  const name = uploadName(request);
  const number = readPartNumber(request.query.get('partNumber'));
  // Refused before the client sends its data, where possible; looked up again when the part is stored.
  refuseLargeBody(front, request.body().size);
  const upload = await findUpload(front, request, name);
  const body = request.body(upload.checksumAlgorithm);
  refuseOtherChecksum(upload, body.announced);
  const [location] = await storeData(front, body, reqUids);
  const { size, md5, checksum } = body;
  await storePart(front, request, name, number, { size, md5, checksum, dataKey: location?.key });
  return { status: 200, headers: { etag: `"${md5}"`, ...body.checksumHeaders } };
};

/** UploadPartCopy: the same with the bytes of an object, or of a range of it. */
export const uploadPartCopy: Operation = async (front, request) => {
  const { headers } = request;
  refuseUnkeptPromises(headers);
  const name = uploadName(request);
  const number = readPartNumber(request.query.get('partNumber'));
  const source = parseCopySource(String(headers['x-amz-copy-source']));
  const upload = await findUpload(front, request, name);
  // A copy takes its time, in which the client has nothing to send.
  request.message.socket.setTimeout(0);
  const { object, versionId, choice, bytes } = await openObject(front, request, source, found => {
    checkCopySourceConditions(headers, found);
    const range = readCopyRange(headers['x-amz-copy-source-range'], found);
    refuseLargeBody(front, sizeOf(found, range));
    return { range };
  });
  const size = sizeOf(object, choice.range);
  const data = await copyBytes(front, request, bytes, size, upload.checksumAlgorithm);
  const part = await storePart(front, request, name, number, data);
  const { checksum } = data;
  const response = xmlResponse(
    buildXml('CopyPartResult', {
      LastModified: part['last-modified'],
      ETag: `"${part['content-md5']}"`,
      ...(checksum ? { [CHECKSUM_ELEMENTS[checksum.name]]: checksum.value } : {}),
    }),
  );
  const sourceVersion = versionId === undefined ? {} : { 'x-amz-copy-source-version-id': versionId };
  return { ...response, headers: { ...response.headers, ...sourceVersion } };
};

async function findUpload(front: Front, request: S3Request, name: UploadName): Promise<Upload> {
  await findWritableBucket(front, request);
  return new UploadStore(front, request.reqUids).get(name);
}

function refuseOtherChecksum({ checksumAlgorithm }: Upload, announced: ChecksumName | undefined): void {
  if (checksumAlgorithm === undefined || announced === undefined || announced === checksumAlgorithm) return;
  throw new S3Error(
    'InvalidRequest',
    `Checksum Type mismatch occurred, expected checksum Type: ${checksumAlgorithm}, actual checksum Type: ${announced}`,
  );
}

/** Makes what was stored a part of the upload, in the place of a part of the same number. */
async function storePart(
  front: Front,
  request: S3Request,
  name: UploadName,
  number: number,
  data: PartData,
): Promise<Part> {
  const { account } = request;
  const store = new UploadStore(front, request.reqUids);
  const part = newPart({ account, uploadId: name.uploadId, number, ...data });
  const stored = data.dataKey === undefined ? [] : [{ key: data.dataKey }];
  const freed = await withNewData(front, request, stored, () =>
    withUpload(front, name.uploadId, () =>
      holdPart(front, name.uploadId, number, async () => {
        const { completeInProgress = false } = await store.get(name);
        const replaced = (await store.findPart(name, number))?.partLocations ?? [];
        await storing(() => store.putPart(name, number, part));
        if (!completeInProgress) return unreferenced(front, request, name, replaced);
        const dataKeys = replaced.map(({ key }) => key);
        request.log.warn({ dataKeys }, 'data of a part stays, for its object may have been stored');
        return [];
      }),
    ),
  );
  await removeData(front, request, freed);
  return part;
}

/** @throws S3Error InvalidArgument, InvalidRange */
function readCopyRange(header: string | string[] | undefined, source: ObjectValue): ByteRange | undefined {
  if (header === undefined) return undefined;
  const [, first = '', last = ''] = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(String(header)) ?? [];
  if (first === '' || Number(first) > Number(last)) {
    throw new S3Error(
      'InvalidArgument',
      'The x-amz-copy-source-range value must be of the form bytes=first-last',
    );
  }
  if (Number(last) >= source['content-length']) {
    throw new S3Error(
      'InvalidRange',
      `The range is not valid for a source of ${source['content-length']} bytes`,
    );
  }
  return { first: Number(first), last: Number(last) };
}

function sizeOf(object: ObjectValue, range: ByteRange | undefined): number {
  return range === undefined ? object['content-length'] : range.last - range.first + 1;
}

async function copyBytes(
  { data }: Front,
  { reqUids }: S3Request,
  bytes: ByteSource,
  size: number,
  algorithm: ChecksumName | undefined,
): Promise<PartData> {
  const md5 = createHash('md5');
  const running = algorithm && CHECKSUMS[algorithm].start();
  async function* digested(): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of bytes) {
      md5.update(piece);
      running?.update(piece);
      yield piece;
    }
  }
  try {
    const dataKey = size === 0 ? undefined : await data.put(digested(), size, reqUids);
    const checksum =
      algorithm && running
        ? { name: algorithm, value: (await running.digest()).toString('base64') }
        : undefined;
    return { md5: md5.digest('hex'), size, dataKey, checksum };
  } finally {
    bytes.close();
  }
}
