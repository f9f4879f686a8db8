/** What requests about multipart uploads have in common. */
import type { IncomingHttpHeaders } from 'node:http';
import { CHECKSUM_NAMES, type ChecksumName, CHECKSUMS, isChecksumName } from '../body/checksums.js';
import type { S3Request } from '../operations/operation.js';
import { S3Error } from '../s3-errors.js';
import type { ChecksumType } from './upload-values.js';
import type { UploadName } from './upload-store.js';

export const MAX_PARTS = 10_000;

/** @throws S3Error NoSuchUpload for an id that no upload can have */
export function uploadName({ bucket, key, query }: S3Request): UploadName {
  const uploadId = query.get('uploadId') ?? '';
  if (!/^[0-9a-f]{32}$/.test(uploadId)) throw new S3Error('NoSuchUpload');
  return { bucket, key, uploadId };
}

/** @throws S3Error InvalidArgument */
export function readPartNumber(text: string | undefined): number {
  const number = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  if (number < 1 || number > MAX_PARTS) {
    throw new S3Error(
      'InvalidArgument',
      `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`,
    );
  }
  return number;
}

export interface UploadChecksum {
  readonly checksumAlgorithm: ChecksumName | undefined;
  readonly checksumType: ChecksumType | undefined;
}

/** What a client wants the checksum of the object to be. @throws S3Error InvalidRequest */
export function readUploadChecksum(headers: IncomingHttpHeaders): UploadChecksum {
  const algorithm = headers['x-amz-checksum-algorithm'];
  const type = headers['x-amz-checksum-type'];
  if (algorithm === undefined) {
    if (type === undefined) return { checksumAlgorithm: undefined, checksumType: undefined };
    throw new S3Error(
      'InvalidRequest',
      'The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.',
    );
  }
  const name = String(algorithm).toLowerCase();
  if (!isChecksumName(name)) {
    throw new S3Error(
      'InvalidRequest',
      `x-amz-checksum-algorithm must be one of ${CHECKSUM_NAMES.join(', ').toUpperCase()}`,
    );
  }
  const byDefault = name === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE';
  const checksumType = String(type ?? byDefault).toUpperCase();
  if (checksumType !== 'FULL_OBJECT' && checksumType !== 'COMPOSITE') {
    throw new S3Error('InvalidRequest', 'Value for x-amz-checksum-type header is invalid.');
  }
  const isPossible = checksumType === 'COMPOSITE' ? name !== 'crc64nvme' : 'polynomial' in CHECKSUMS[name];
  if (!isPossible) {
    throw new S3Error(
      'InvalidRequest',
      `The ${checksumType} checksum type cannot be used with the ${name} checksum algorithm.`,
    );
  }
  return { checksumAlgorithm: name, checksumType };
}

/** @throws S3Error InvalidArgument */
export function readLimit(text: string | undefined, name: string, most: number): number {
  if (text === undefined) return most;
  if (!/^\d{1,10}$/.test(text))
    throw new S3Error('InvalidArgument', `${name} must be a whole number from 0 on`);
  return Math.min(most, Number(text));
}
