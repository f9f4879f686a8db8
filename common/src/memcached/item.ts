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

/** A value as one buffer, or in pieces that are put together. */
export type ItemValue = Buffer | readonly Buffer[];

export function sealItem(key: string, value: ItemValue): Buffer {
  const pieces = Buffer.isBuffer(value) ? [value] : value;
  const length = pieces.reduce((sum, piece) => sum + piece.length, ITEM_HEADER_BYTES);
  const item = Buffer.allocUnsafeSlow(length);
  MAGIC.copy(item);
  let end = ITEM_HEADER_BYTES;
  for (const piece of pieces) end += piece.copy(item, end);
  item.writeUInt32BE(checksum(key, item.subarray(ITEM_HEADER_BYTES)), MAGIC.length);
  return item;
}

/** The value, or `undefined` when the item is not what `sealItem` made of this key. */
export function openItem(key: string, item: Buffer): Buffer | undefined {
  if (item.length < ITEM_HEADER_BYTES || !item.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const value = item.subarray(ITEM_HEADER_BYTES);
  return item.readUInt32BE(MAGIC.length) === checksum(key, value) ? value : undefined;
}

function checksum(key: string, value: Buffer): number {
  // The key comes last: crc32 of an empty value forgets what it is told to go on from.
  return crc32(key, crc32(value));
}
