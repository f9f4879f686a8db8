/** The parts that an object was uploaded in, as its locations tell them. */
import type { ByteRange } from '../byte-source.js';
import type { ObjectValue } from '../object-value.js';
import { S3Error } from '../s3-errors.js';

export interface ObjectPart {
  readonly number: number;
  readonly start: number;
  readonly size: number;
  /** In base64, in the algorithm of the object's checksum; `undefined` where it has none. */
  readonly checksum: string | undefined;
}

/** In order; `undefined` for an object that was not uploaded in parts. */
export function partsOf(object: ObjectValue): readonly ObjectPart[] | undefined {
  if (!object['content-md5'].includes('-')) return undefined;
  const parts: ObjectPart[] = [];
  for (const { start, size, dataStoreETag = '', checksum } of object.location ?? []) {
    const number = Number.parseInt(dataStoreETag, 10);
    const last = parts.at(-1);
    if (last?.number === number) parts.splice(-1, 1, { ...last, size: last.size + size });
    else parts.push({ number, start, size, checksum });
  }
  return parts;
}

/** How many parts it was completed from. An empty one has no location, and so is none of `partsOf`. */
export function countParts(object: ObjectValue): number {
  return Number(object['content-md5'].split('-')[1] ?? 1);
}

/** Where a part lies; the one part of an object that is empty or was sent as a whole is all of it. @throws S3Error InvalidPartNumber */
export function rangeOfPart(object: ObjectValue, number: number): ByteRange | undefined {
  const size = object['content-length'];
  const whole = { number: 1, start: 0, size, checksum: undefined };
  const parts = size === 0 ? undefined : partsOf(object);
  const part = (parts ?? [whole]).find(found => found.number === number);
  if (!part) throw new S3Error('InvalidPartNumber');
  return part.size === 0 ? undefined : { first: part.start, last: part.start + part.size - 1 };
}
