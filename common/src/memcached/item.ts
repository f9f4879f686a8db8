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

export function sealItem(key: string, value: Buffer): Buffer {
  const item = Buffer.allocUnsafe(ITEM_HEADER_BYTES + value.length);
  MAGIC.copy(item);
  item.writeUInt32BE(checksum(key, value), MAGIC.length);
  value.copy(item, ITEM_HEADER_BYTES);
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
