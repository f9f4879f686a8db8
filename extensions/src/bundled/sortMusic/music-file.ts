/** Which objects are music, and what their artist becomes in names. */

const EXTENSIONS = /\.(mp3|flac|ogg|oga|opus|m4a|m4b|aac|wav|aif|aiff|wma|wv|ape|mpc|dsf)$/i;

/** By content type, or by the name where the type says nothing. */
export function isMusic(key: string, contentType: string | undefined): boolean {
  return /^audio\//i.test(contentType ?? '') || EXTENSIONS.test(key);
}

/** The artist as a part of a key: no slash, no control characters, not longer than a key can bear. */
export function artistInKey(artist: string): string {
  return artist
    .normalize('NFC')
    .replace(/[\p{Cc}/\\]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

/** The artist as a part of a bucket's name; empty when nothing of it can stand there. */
export function artistInBucket(artist: string): string {
  return artist
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
}
