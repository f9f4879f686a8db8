/** The checksum of an object from those of its parts. */
import { createHash } from 'node:crypto';
import { CHECKSUMS, type Algorithm, type ChecksumName } from '../body/checksums.js';
import { joinCrc } from '../body/join-crc.js';
import type { ObjectChecksum } from '../object-value.js';
import type { ChecksumType, NumberedPart } from './upload-values.js';

/** `undefined` when a part has none of this algorithm, such as one that was sent through CloudServer. */
export async function objectChecksum(
  checksumAlgorithm: ChecksumName,
  checksumType: ChecksumType,
  parts: readonly NumberedPart[],
): Promise<ObjectChecksum | undefined> {
  const { start, polynomial }: Algorithm = CHECKSUMS[checksumAlgorithm];
  const values: Buffer[] = [];
  for (const { part } of parts) {
    if (part.checksum?.name !== checksumAlgorithm) return undefined;
    values.push(Buffer.from(part.checksum.value, 'base64'));
  }
  if (checksumType === 'COMPOSITE') {
    const digest = start();
    digest.update(Buffer.concat(values));
    const value = (await digest.digest()).toString('base64');
    return { checksumAlgorithm, checksumType, checksumValue: `${value}-${parts.length}` };
  }
  if (polynomial === undefined) return undefined;
  const whole = values.reduce((first, second, at) =>
    joinCrc(polynomial, first, second, parts[at]?.part['content-length'] ?? 0),
  );
  return { checksumAlgorithm, checksumType, checksumValue: whole.toString('base64') };
}

/** The entity tag of an object of several parts, without quotes. */
export function multipartEtag(md5s: readonly string[]): string {
  const hash = createHash('md5');
  for (const md5 of md5s) hash.update(md5, 'hex');
  return `${hash.digest('hex')}-${md5s.length}`;
}
