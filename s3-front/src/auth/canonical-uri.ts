/** Percent-encoding as AWS Signature version 4 counts it: unreserved characters alone stay as they are. */

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
