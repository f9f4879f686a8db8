/** The checksums that a client may send with a body, in headers `x-amz-checksum-…` or after it. */
import { createHash } from 'node:crypto';
import { Crc32, Crc32c, Crc64Nvme } from '@aws-sdk/checksums/crc';

/** A digest that grows with the body. */
export interface RunningDigest {
  update(bytes: Buffer): void;
  /** May be asked once, at the end. */
  digest(): Promise<Buffer>;
}

interface Algorithm {
  readonly bytes: number;
  readonly start: () => RunningDigest;
}

/** By the name in the header; `bytes` is the length of the digest. */
export const CHECKSUMS: Readonly<Record<string, Algorithm>> = {
  crc32: { bytes: 4, start: () => fromLibrary(new Crc32()) },
  crc32c: { bytes: 4, start: () => fromLibrary(new Crc32c()) },
  crc64nvme: { bytes: 8, start: () => fromLibrary(new Crc64Nvme()) },
  sha1: { bytes: 20, start: () => startHash('sha1') },
  sha256: { bytes: 32, start: () => startHash('sha256') },
};

export const CHECKSUM_HEADER_PREFIX = 'x-amz-checksum-';

export function startHash(name: 'md5' | 'sha1' | 'sha256'): RunningDigest {
  const hash = createHash(name);
  return { update: bytes => void hash.update(bytes), digest: () => Promise.resolve(hash.digest()) };
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
