/** The range that a client asks for, and where it lies in the blobs of an object. */
import type { ByteRange } from '../byte-source.js';
import type { Location } from '../object-value.js';
import { S3Error } from '../s3-errors.js';

/**
 * One range, `bytes=a-b`, `bytes=a-` or `bytes=-n`, cut to the size; `undefined` when there is none, or one
 * that cannot be read: the whole object is meant then.
 * @throws S3Error InvalidRange
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  const [, from = '', to = ''] = match ?? [];
  if (!match || (from === '' && to === '')) return undefined;
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(from) > Number(to)) return undefined;
  if (first >= size || (from === '' && Number(to) === 0)) {
    throw new S3Error('InvalidRange', undefined, { headers: { 'content-range': `bytes */${size}` } });
  }
  return { first, last };
}

/** A stretch of one blob. */
export interface Stretch {
  readonly location: Location;
  /** `undefined`: all of the blob. */
  readonly range: ByteRange | undefined;
  readonly length: number;
}

/** The stretches of blobs that hold a range of an object, in order. */
export function stretchesOf(locations: readonly Location[], range: ByteRange | undefined): Stretch[] {
  return locations.flatMap(location => {
    const end = location.start + location.size - 1;
    const first = Math.max(range?.first ?? 0, location.start);
    const last = Math.min(range?.last ?? end, end);
    if (first > last) return [];
    const length = last - first + 1;
    const within = { first: first - location.start, last: last - location.start };
    return [{ location, range: length === location.size ? undefined : within, length }];
  });
}
