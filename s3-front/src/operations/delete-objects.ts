import type { Location } from '../object-value.js';
import { checkKey } from '../object-key.js';
import { S3Error, toS3Error } from '../s3-errors.js';
import { buildXml, childrenOf, parseXml, textOf, type XmlElement } from '../xml.js';
import { deleteKey, type Deletion } from './delete-object.js';
import { findWritableBucket } from './find-bucket.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';
import { removeData } from './write-object.js';

const MAX_KEYS = 1000;
/** A thousand keys of the longest kind with room for their elements. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
const CONCURRENCY = 16;

interface DeleteRequest {
  readonly keys: readonly Deletion[];
  /** Only failures are answered. */
  readonly quiet: boolean;
}

/** DeleteObjects: each key by itself; one that fails is answered by name and does not stop the others. */
export const deleteObjects: Operation = async (front, request) => {
  const { keys, quiet } = parseDelete(await request.body().text(MAX_BODY_BYTES));
  await findWritableBucket(front, request);
  const results = new Array<XmlElement>(keys.length);
  const freed: Location[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < keys.length; at = next++) {
      const deletion = keys[at];
      if (deletion) results[at] = await deleteOne(front, request, deletion, freed);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  await removeData(front, request, freed);
  const failed = results.filter(result => 'Code' in result);
  const deleted = results.filter(result => !('Code' in result));
  return xmlResponse(buildXml('DeleteResult', { Deleted: quiet ? [] : deleted, Error: failed }));
};

/** @param freed is added to */
async function deleteOne(
  front: Front,
  request: S3Request,
  deletion: Deletion,
  freed: Location[],
): Promise<XmlElement> {
  const { key, versionId } = deletion;
  try {
    checkKey(key);
    const deleted = await deleteKey(front, request, deletion);
    freed.push(...deleted.freed);
    return {
      Key: key,
      VersionId: versionId,
      ...(deleted.isMarker && { DeleteMarker: true, DeleteMarkerVersionId: deleted.versionId }),
    };
  } catch (err) {
    const error = toS3Error(err);
    if (error.status >= 500) request.log.error({ err, key }, 'an object could not be deleted');
    return { Key: key, VersionId: versionId, Code: error.code, Message: error.message };
  }
}

/** @throws S3Error MalformedXML */
function parseDelete(xml: string): DeleteRequest {
  const root = parseXml(xml, 'Delete');
  const keys = childrenOf(root, 'Object').map(object => {
    const key = textOf(object, 'Key');
    if (key === undefined || key === '') throw new S3Error('MalformedXML', 'An Object must have a Key');
    if (['LastModifiedTime', 'Size'].some(name => childrenOf(object, name).length > 0)) {
      throw new S3Error('NotImplemented', 'This endpoint deletes on the condition ETag alone');
    }
    return { key, versionId: textOf(object, 'VersionId'), ifMatch: textOf(object, 'ETag') };
  });
  if (keys.length === 0 || keys.length > MAX_KEYS) {
    throw new S3Error('MalformedXML', `Delete must have 1 to ${MAX_KEYS} elements Object`);
  }
  return { keys, quiet: textOf(root, 'Quiet')?.trim() === 'true' };
}
