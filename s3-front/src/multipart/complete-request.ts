/** What a client says that an upload is made of, and whether that is so. */
import { type ChecksumName, CHECKSUM_NAMES } from '../body/checksums.js';
import { CHECKSUM_ELEMENTS } from '../operations/checksum-elements.js';
import { S3Error } from '../s3-errors.js';
import { childrenOf, parseXml, textOf } from '../xml.js';
import { MAX_PARTS } from './upload-request.js';
import type { NumberedPart, Upload } from './upload-values.js';

/** The smallest part that may stand before another. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
/** The largest object of S3. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 4;
/** Ten thousand parts with everything that S3 knows of a part. */
const XML_LIMITS = { maxElements: 100_000 };

export interface RequestedPart {
  readonly number: number;
  /** MD5 in hex. */
  readonly etag: string;
  readonly checksums: readonly (readonly [ChecksumName, string])[];
}

/** @throws S3Error MalformedXML, InvalidPartOrder */
export function parseComplete(xml: string): readonly RequestedPart[] {
  const elements = childrenOf(parseXml(xml, 'CompleteMultipartUpload', XML_LIMITS), 'Part');
  if (elements.length === 0 || elements.length > MAX_PARTS) {
    throw new S3Error('MalformedXML', `CompleteMultipartUpload must have 1 to ${MAX_PARTS} elements Part`);
  }
  let last = 0;
  return elements.map(element => {
    const text = textOf(element, 'PartNumber')?.trim() ?? '';
    const etag = textOf(element, 'ETag')?.trim();
    if (!/^\d{1,5}$/.test(text) || etag === undefined) {
      throw new S3Error('MalformedXML', 'A Part must have a PartNumber and an ETag');
    }
    const number = Number(text);
    if (number <= last) throw new S3Error('InvalidPartOrder');
    last = number;
    const checksums = CHECKSUM_NAMES.flatMap(name => {
      const value = textOf(element, CHECKSUM_ELEMENTS[name])?.trim();
      return value === undefined ? [] : [[name, value] as const];
    });
    return { number, etag: etag.replace(/^"|"$/g, '').toLowerCase(), checksums };
  });
}

/** The parts that are asked for, in order. @throws S3Error InvalidPart, EntityTooSmall, EntityTooLarge */
export function chooseParts(
  requested: readonly RequestedPart[],
  stored: ReadonlyMap<number, NumberedPart>,
): readonly NumberedPart[] {
  const chosen = requested.map(({ number, etag, checksums }) => {
    const found = stored.get(number);
    const matches =
      found?.part['content-md5'] === etag &&
      checksums.every(([name, value]) => {
        const known = found.part.checksum;
        return known?.name !== name || known.value === value;
      });
    if (!found || !matches) {
      throw new S3Error(
        'InvalidPart',
        `Part ${number} is not there, or not with this entity tag or checksum`,
      );
    }
    return found;
  });
  const small = chosen.slice(0, -1).find(({ part }) => part['content-length'] < MIN_PART_BYTES);
  if (small) {
    throw new S3Error(
      'EntityTooSmall',
      `Part ${small.number} is smaller than ${MIN_PART_BYTES} bytes and not the last`,
    );
  }
  if (sizeOfParts(chosen) > MAX_OBJECT_BYTES) {
    throw new S3Error('EntityTooLarge', `An object must not be larger than ${MAX_OBJECT_BYTES} bytes`);
  }
  return chosen;
}

/**
 * A checksum over those of the parts is of what the client says that these are.
 * @throws S3Error InvalidRequest for a part without its own
 */
export function refuseWithoutChecksums(
  requested: readonly RequestedPart[],
  { checksumAlgorithm, checksumType }: Pick<Upload, 'checksumAlgorithm' | 'checksumType'>,
  stored: readonly NumberedPart[],
): void {
  if (checksumAlgorithm === undefined || checksumType === 'FULL_OBJECT') return;
  const lacking = requested.find(
    ({ checksums }, at) =>
      // One that was sent through CloudServer has none that a client could have been told.
      stored[at]?.part.checksum?.name === checksumAlgorithm &&
      !checksums.some(([name]) => name === checksumAlgorithm),
  );
  if (lacking === undefined) return;
  throw new S3Error(
    'InvalidRequest',
    `The upload was created using a ${checksumAlgorithm} checksum. The complete request must include the checksum ` +
      `for each part. It was missing for part ${lacking.number} in the request.`,
  );
}

export function sizeOfParts(parts: readonly NumberedPart[]): number {
  return parts.reduce((sum, { part }) => sum + part['content-length'], 0);
}
