/**
 * Keys as MongoDB sees them: each byte of a key is one code point from 0 to 255 of the `_id`.
 *
 * Any bytes fit (U+0000 too: a BSON string carries its length), ASCII reads as itself, and the order is
 * byte order on every server. MongoDB compares strings as UTF-8 bytes and others compare UTF-16 units; for
 * code points up to 255 both are the order of the code points, and JavaScript's `<` is as well.
 */

/** The `_id` of a key. Text is taken as UTF-8. */
export function encodeKey(key: Uint8Array | string): string {
  if (typeof key === 'string') {
    const utf8Length = Buffer.byteLength(key, 'utf8');
    return utf8Length === key.length ? key : Buffer.from(key, 'utf8').toString('latin1');
  }
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

/** The key of an `_id` that `encodeKey` made. */
export function decodeKey(id: string): Buffer {
  return Buffer.from(id, 'latin1');
}

/** Bytes that an `_id` takes in BSON, which holds it as UTF-8. */
export function encodedKeyBytes(id: string): number {
  return Buffer.byteLength(id, 'utf8');
}
