import type { Tags } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { existing } from './current-object.js';
import { findObject } from './find-object.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';
import { parseTagging, taggingXml } from './tag-set.js';
import { holdObject } from './write-object.js';

/** Ten tags of the longest kind, each character six bytes of XML, with room for their elements. */
const MAX_TAGGING_BYTES = 64 * 1024;

export const getObjectTagging: Operation = async (front, request) => {
  const object = await findObject(front, request);
  return xmlResponse(taggingXml(object.tags ?? {}));
};

export const putObjectTagging: Operation = async (front, request) => {
  const tags = parseTagging(await request.body().text(MAX_TAGGING_BYTES));
  await replaceTags(front, request, tags, 's3:ObjectTagging:Put');
  return { status: 200 };
};

export const deleteObjectTagging: Operation = async (front, request) => {
  await replaceTags(front, request, {}, 's3:ObjectTagging:Delete');
  return { status: 204 };
};

/** Changes the tags of the current version in place. */
async function replaceTags(front: Front, request: S3Request, tags: Tags, originOp: string): Promise<void> {
  const { bucket: name, key, reqUids } = request;
  await holdObject(front, request, key, async ({ current }) => {
    const object = existing(current);
    if (!object) throw new S3Error('NoSuchKey');
    const { versionId } = object;
    const options = versionId === undefined ? {} : { versionId };
    await front.metadata.updateObject(name, key, { ...object, tags, originOp }, options, reqUids);
  });
}
