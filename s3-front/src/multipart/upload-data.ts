/** Removes what an upload leaves: data that no object refers to, then what is said about it. */
import type { ObjectValue } from '../object-value.js';
import type { Front, S3Request } from '../operations/operation.js';
import { removeData } from '../operations/write-object.js';
import type { Part, PartLocation } from './upload-values.js';
import { type UploadName, UploadStore } from './upload-store.js';

/** Entries that are deleted at once; each waits for the module's next sync. */
const DELETES_AT_ONCE = 32;

type Context = Pick<S3Request, 'reqUids' | 'log'>;

interface Objects {
  readonly bucket: string;
  readonly key?: string;
}

/**
 * Removes an upload with its parts and their data, but for the data that an object refers to. To be called by who
 * holds the upload, which must be marked as ending: when this is cut short, another call does the rest. No completion of
 * it may be under way any more.
 */
export async function removeUpload(front: Front, request: Context, name: UploadName): Promise<void> {
  const store = new UploadStore(front, request.reqUids);
  const parts: Part[] = [];
  for await (const { part } of store.parts(name)) parts.push(part);
  await removeParts(front, request, name, parts);
  await store.delete(name);
}

/**
 * Removes parts and their data, but for the data that an object refers to.
 * @param of a key, whose versions are looked at; without, all objects of the bucket are
 */
export async function removeParts(
  front: Front,
  request: Context,
  of: Objects,
  parts: readonly Part[],
): Promise<void> {
  const store = new UploadStore(front, request.reqUids);
  const free = new Set(await unreferenced(front, request, of, locationsOf(parts)));
  for (let at = 0; at < parts.length; at += DELETES_AT_ONCE) {
    const some = parts.slice(at, at + DELETES_AT_ONCE);
    await removeData(
      front,
      request,
      locationsOf(some).filter(location => free.has(location)),
    );
    await Promise.all(some.map(({ key }) => store.deletePart(of.bucket, key)));
  }
}

function locationsOf(parts: readonly Part[]): PartLocation[] {
  return parts.flatMap(({ partLocations }) => partLocations);
}

/**
 * Those of some blobs that no object refers to. It is looked up, whatever an upload says of itself: releases of
 * CloudServer before 7.10 make an object without a mark on its upload, and may have ended before they removed that.
 */
export async function unreferenced(
  front: Front,
  request: Context,
  of: Objects,
  blobs: readonly PartLocation[],
): Promise<PartLocation[]> {
  if (blobs.length === 0) return [];
  const free = new Map(blobs.map(blob => [blob.key, blob]));
  for await (const { location } of valuesOf(front, request, of)) {
    for (const { key } of location ?? []) free.delete(key);
  }
  return [...free.values()];
}

/** The object that was made from an upload, where it is still there. */
export async function findCompleted(
  front: Front,
  request: Context,
  name: UploadName,
): Promise<ObjectValue | undefined> {
  for await (const version of versionsMadeFrom(front, request, name)) return version;
  return undefined;
}

/** The current version first, and again under its id, where it has one. */
export async function* versionsMadeFrom(
  front: Front,
  request: Context,
  name: UploadName,
): AsyncGenerator<ObjectValue, void, undefined> {
  for await (const version of valuesOf(front, request, name)) {
    if (version.uploadId === name.uploadId) yield version;
  }
}

/** Every version of a key, the current one first; of all keys without one. */
async function* valuesOf(
  { metadata }: Front,
  { reqUids }: Context,
  { bucket, key }: Objects,
): AsyncGenerator<ObjectValue, void, undefined> {
  // Between a key and its versions there is nothing, as no key holds U+0000.
  const range = key === undefined ? {} : { gte: key, lt: `${key}\x01` };
  for await (const { value } of metadata.read(bucket, range, reqUids)) yield JSON.parse(value) as ObjectValue;
}
