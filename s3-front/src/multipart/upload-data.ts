/** Removes what an upload leaves: data that no object refers to, then what is said about it. */
import type { ObjectValue } from '../object-value.js';
import type { Front, S3Request } from '../operations/operation.js';
import { removeData } from '../operations/write-object.js';
import type { NumberedPart, Upload } from './upload-values.js';
import { type UploadName, UploadStore } from './upload-store.js';

/** Entries that are deleted at once; each waits for the module's next sync. */
const DELETES_AT_ONCE = 32;

type Context = Pick<S3Request, 'reqUids' | 'log'>;

/**
 * Removes an upload with its parts and their data, but for the data that an object refers to. To be called by who
 * holds the upload, which must be marked as ending: when this is cut short, another call does the rest.
 */
export async function removeUpload(
  front: Front,
  request: Context,
  name: UploadName,
  upload: Upload,
): Promise<void> {
  const store = new UploadStore(front, request.reqUids);
  // Before an object may have been made from it, none can refer to its parts.
  const kept = upload.completeInProgress === true ? await dataOfObjects(front, request, name) : new Set();
  let batch: NumberedPart[] = [];
  const flush = async (): Promise<void> => {
    const parts = batch;
    batch = [];
    const locations = parts.flatMap(({ part }) => part.partLocations);
    await removeData(
      front,
      request,
      locations.filter(({ key }) => !kept.has(key)),
    );
    await Promise.all(parts.map(({ part }) => store.deletePart(name.bucket, part.key)));
  };
  for await (const part of store.parts(name)) {
    batch.push(part);
    if (batch.length === DELETES_AT_ONCE) await flush();
  }
  await flush();
  await store.delete(name);
}

/** The keys of all blobs that the versions of a key refer to. */
export async function dataOfObjects(
  front: Front,
  request: Context,
  name: { readonly bucket: string; readonly key: string },
): Promise<ReadonlySet<string>> {
  const kept = new Set<string>();
  for await (const { location } of versionsOf(front, request, name)) {
    for (const { key } of location ?? []) kept.add(key);
  }
  return kept;
}

/** The object that was made from an upload, where it is still there. */
export async function findCompleted(
  front: Front,
  request: Context,
  name: UploadName,
): Promise<ObjectValue | undefined> {
  for await (const version of versionsOf(front, request, name)) {
    if (version.uploadId === name.uploadId) return version;
  }
  return undefined;
}

/** Every version of a key, the current one first. */
async function* versionsOf(
  { metadata }: Front,
  { reqUids }: Context,
  { bucket, key }: { readonly bucket: string; readonly key: string },
): AsyncGenerator<ObjectValue, void, undefined> {
  const range = { gte: key, lt: `${key}\x01` };
  for await (const item of metadata.read(bucket, range, reqUids)) {
    if (item.key === key || item.key.startsWith(`${key}\0`)) yield JSON.parse(item.value) as ObjectValue;
  }
}
