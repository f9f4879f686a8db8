/**
 * What an object of the bucket holds: the bytes of a blob from 0 on, and behind them a seal of 8 bytes, which are the
 * letters `ZDM1` and the CRC-32C of the blob, big-endian. It may never change while there are filled buckets; another
 * form gets other letters. The checksum lies in the object, and not in the metadata, which for a multipart upload are
 * sent before its bytes are known, nor with the server, which need not keep any.
 */
import { crc32c } from '@node-rs/crc32';
import { CatalogueError } from '@zenko-modules/common/errors';

export const SEAL_BYTES = 8;
const LETTERS = Buffer.from('ZDM1');

/** The checksum of no bytes, from which `crc32c` goes on. */
export const NO_BYTES = 0;

export function seal(checksum: number): Buffer {
  const bytes = Buffer.alloc(SEAL_BYTES);
  LETTERS.copy(bytes);
  bytes.writeUInt32BE(checksum, LETTERS.length);
  return bytes;
}

/** Size of the blob that an object of this size is. @throws CatalogueError `InternalError` when it can be none. */
export function blobSize(objectBytes: number): number {
  if (objectBytes < SEAL_BYTES) throw damaged('it is shorter than its seal');
  return objectBytes - SEAL_BYTES;
}

/**
 * The bytes of a blob of `size`, taken out of the pieces of its object. The last of them are only given when all of
 * them have come and the seal fits. Fails with `InternalError` when it does not, or when too many or too few came.
 */
export async function* unseal(pieces: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer, void> {
  let checksum = NO_BYTES;
  let left = size;
  let held: Buffer | undefined;
  let end = Buffer.alloc(0);
  for await (const piece of pieces) {
    const data = piece.subarray(0, left);
    if (data.length > 0) {
      if (held !== undefined) yield held;
      held = data;
      left -= data.length;
      checksum = crc32c(data, checksum);
    }
    if (data.length < piece.length) end = Buffer.concat([end, piece.subarray(data.length)]);
    if (end.length > SEAL_BYTES) throw damaged('bytes follow its seal');
  }
  if (left > 0 || end.length < SEAL_BYTES) throw damaged('the answer of the cluster is too short');
  if (!end.equals(seal(checksum))) throw damaged('its bytes do not fit its checksum');
  if (held !== undefined) yield held;
}

function damaged(how: string): CatalogueError {
  return new CatalogueError('InternalError', `the stored blob is damaged: ${how}`);
}
