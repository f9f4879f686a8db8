/** The checksums that a client may send with a body, in headers `x-amz-checksum-…` or after it. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { Crc32c, Crc64Nvme } from '@aws-sdk/checksums/crc';

/** A digest that grows with the body. */
export interface RunningDigest {
  update(bytes: Buffer): void;
  /** May be asked once, at the end. */
  digest(): Promise<Buffer>;
}

export interface Algorithm {
  readonly bytes: number;
  readonly start: () => RunningDigest;
  /** Of a CRC, its polynomial with the bits reversed: checksums of parts can be joined then. */
  readonly polynomial?: bigint;
}

/** By the name in the header; `bytes` is the length of the digest. */
export const CHECKSUMS = {
  crc32: { bytes: 4, start: startCrc32, polynomial: 0xedb88320n },
  crc32c: { bytes: 4, start: () => fromLibrary(new Crc32c()), polynomial: 0x82f63b78n },
  crc64nvme: { bytes: 8, start: () => fromLibrary(new Crc64Nvme()), polynomial: 0x9a6c9329ac4bc9b5n },
  sha1: { bytes: 20, start: () => startHash('sha1') },
  sha256: { bytes: 32, start: () => startHash('sha256') },
} as const satisfies Record<string, Algorithm>;

export type ChecksumName = keyof typeof CHECKSUMS;

export const CHECKSUM_NAMES = Object.keys(CHECKSUMS) as readonly ChecksumName[];

export const CHECKSUM_HEADER_PREFIX = 'x-amz-checksum-';

export function isChecksumName(name: string): name is ChecksumName {
  return Object.hasOwn(CHECKSUMS, name);
}

export function startHash(name: 'md5' | 'sha1' | 'sha256'): RunningDigest {
  const hash = createHash(name);
  return { update: bytes => void hash.update(bytes), digest: () => Promise.resolve(hash.digest()) };
}

function startCrc32(): RunningDigest {
  let value = 0;
  return {
    update: bytes => {
      value = crc32(bytes, value);
    },
    digest: () => {
      const digest = Buffer.alloc(4);
      digest.writeUInt32BE(value);
      return Promise.resolve(digest);
    },
  };
}

interface LibraryChecksum {
  update(bytes: Uint8Array): void;
  digest(): Promise<Uint8Array>;
}

function fromLibrary(checksum: LibraryChecksum): RunningDigest {
  return {
    update: bytes => checksum.update(bytes),
    digest: async () => Buffer.from(await checksum.digest()),
  };
}

/** The bytes of a digest in base64; `undefined` when it is not one of this length. */
export function decodeDigest(text: string, bytes: number): Buffer | undefined {
  const decoded = Buffer.from(text, 'base64');
  return decoded.length === bytes && decoded.toString('base64') === text ? decoded : undefined;
}
