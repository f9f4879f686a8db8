/**
 * What lies in memcached: the value behind a header that proves that it is the value of this key, whole.
 * memjs has been seen to hand out the bytes of a broken connection as a value; no such value opens.
 *
 * Layout: 4 bytes `ZKM1`, 4 bytes CRC-32 (big-endian) of the value and the key, the value. It may never
 * change while there are filled servers: another layout gets another first word.
 */
import { crc32 } from 'node:zlib';

const MAGIC = Buffer.from('ZKM1', 'latin1');

/** Bytes that an item is larger than its value. */
export const ITEM_HEADER_BYTES = 8;

/** A value as one buffer, or in pieces that are stored as one. They stay as they are until the call has settled. */
export type ItemValue = Buffer | readonly Buffer[];

/** The item, in pieces: its header, and then those of the value, which are not copied. */
export function sealItem(key: string, value: ItemValue): [header: Buffer, ...value: Buffer[]] {
  const pieces = Buffer.isBuffer(value) ? [value] : value;
  const header = Buffer.alloc(ITEM_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32BE(checksum(key, pieces), MAGIC.length);
  return [header, ...pieces];
}

/** The value, or `undefined` when the item is not what `sealItem` made of this key. */
export function openItem(key: string, item: Buffer): Buffer | undefined {
  if (item.length < ITEM_HEADER_BYTES || !item.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const value = item.subarray(ITEM_HEADER_BYTES);
  return item.readUInt32BE(MAGIC.length) === checksum(key, [value]) ? value : undefined;
}

function checksum(key: string, pieces: readonly Buffer[]): number {
  let sum = 0;
  // crc32 of nothing forgets what it is told to go on from: so the key, which is never empty, comes last.
  for (const piece of pieces) if (piece.length > 0) sum = crc32(piece, sum);
  return crc32(key, sum);
}
