/** Percent-encoding as AWS Signature version 4 counts it: unreserved characters alone stay as they are. */
import { S3Error } from '../s3-errors.js';

/** RFC 3986, with upper-case hex digits. */
export function escapeUriComponent(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The same, with slashes as they are. */
export function escapeUriPath(text: string): string {
  return escapeUriComponent(text).replaceAll('%2F', '/');
}

/** A path or a part of a query, decoded. S3 reads a plus as a blank, in the path too. @throws S3Error InvalidURI */
export function unescapeUri(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'));
  } catch (err) {
    throw new S3Error('InvalidURI', 'The URI is not valid percent-encoded UTF-8', { cause: err });
  }
}

/**
 * What may have been signed for a path: it is decoded once and encoded again, nothing is normalised. AWS takes a slash
 * that came encoded for one that did not; its SDKs, which send it so in the name of a bucket, sign it as they send it.
 */
export function canonicalUris(path: string): readonly string[] {
  const uri = escapeUriPath(unescapeUri(path));
  if (!/%2f/i.test(path)) return [uri];
  const parts = path.split('/').map(part => escapeUriComponent(unescapeUri(part)));
  return [uri, parts.join('/')];
}
