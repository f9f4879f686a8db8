/** Which keys an object may have. */
import { S3Error } from './s3-errors.js';

/** In bytes of UTF-8: the limit of CloudServer, which leaves room for a version id in S3's 1024. */
const MAX_KEY_BYTES = 915;

/** @throws S3Error KeyTooLongError, InvalidArgument for U+0000, which stands between a key and a version id */
export function checkKey(key: string): void {
  if (key.includes('\0')) throw new S3Error('InvalidArgument', 'A key must not hold the character U+0000');
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new S3Error('KeyTooLongError', `A key must not be longer than ${MAX_KEY_BYTES} bytes`);
  }
}
