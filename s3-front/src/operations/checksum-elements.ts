import type { ChecksumName } from '../body/checksums.js';
import type { ObjectChecksum } from '../object-value.js';
import type { XmlElement } from '../xml.js';

/** The names that XML has for checksums. */
export const CHECKSUM_ELEMENTS: Readonly<Record<ChecksumName, string>> = {
  crc32: 'ChecksumCRC32',
  crc32c: 'ChecksumCRC32C',
  crc64nvme: 'ChecksumCRC64NVME',
  sha1: 'ChecksumSHA1',
  sha256: 'ChecksumSHA256',
};

export function checksumElements(checksum: ObjectChecksum | undefined): XmlElement {
  if (!checksum) return {};
  return {
    [CHECKSUM_ELEMENTS[checksum.checksumAlgorithm]]: checksum.checksumValue,
    ChecksumType: checksum.checksumType,
  };
}
