/** The bytes of a request's body, stored in the data module. */
import type { RequestBody } from '../body/request-body.js';
import { type Location, newLocation } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import type { Front } from './operation.js';

/** @throws S3Error EntityTooLarge */
export function refuseLargeBody({ settings }: Front, size: number): void {
  const { S3_MAX_OBJECT_BYTES: limit } = settings;
  if (size > limit) {
    throw new S3Error('EntityTooLarge', `A request must not bring more than ${limit} bytes of an object`);
  }
}

/** Stores a body as it comes. One without bytes has no data. */
export async function storeData({ data }: Front, body: RequestBody, reqUids: string): Promise<Location[]> {
  if (body.size === 0) {
    await body.text(0);
    return [];
  }
  const key = await data.put(body.read(), body.size, reqUids);
  return [newLocation(key, body.size, body.md5)];
}

/** Stores a body that has come. */
export async function storeBytes(
  { data }: Front,
  bytes: Buffer,
  md5: string,
  reqUids: string,
): Promise<Location[]> {
  if (bytes.length === 0) return [];
  const key = await data.put(bytes, bytes.length, reqUids);
  return [newLocation(key, bytes.length, md5)];
}
