/** The token by which a client asks for the next page: what the last page ended with, not readable at a glance. */
import { S3Error } from '../s3-errors.js';

const MARK = 'after:';

export function encodeToken(after: string): string {
  return Buffer.from(MARK + after).toString('base64url');
}

/** @throws S3Error InvalidArgument for a token that is not from here */
export function decodeToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (!text.startsWith(MARK) || encodeToken(text.slice(MARK.length)) !== token) {
    throw new S3Error('InvalidArgument', 'The continuation token is not one that this endpoint gave');
  }
  return text.slice(MARK.length);
}
