import type { Tags } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { findObject, objectNamed } from './find-object.js';
import { currentAs, findVersion } from './find-version.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';
import { MAX_OBJECT_TAGS, parseTagging, taggingXml } from './tag-set.js';
import { changedMeanwhile, holdObject, versionHeader, versionIdOf } from './write-object.js';

/** Ten tags of the longest kind, each character six bytes of XML, with room for their elements. */
const MAX_TAGGING_BYTES = 64 * 1024;

export const getObjectTagging: Operation = async (front, request) => {
  const { object, versionId } = await findObject(front, request);
  const response = xmlResponse(taggingXml(object.tags ?? {}));
  return { ...response, headers: { ...response.headers, ...versionHeader(versionId) } };
};

export const putObjectTagging: Operation = async (front, request) => {
  const tags = parseTagging(await request.body().text(MAX_TAGGING_BYTES), MAX_OBJECT_TAGS);
  return { status: 200, headers: await replaceTags(front, request, tags, 's3:ObjectTagging:Put') };
};

export const deleteObjectTagging: Operation = async (front, request) => ({
  status: 204,
  headers: await replaceTags(front, request, {}, 's3:ObjectTagging:Delete'),
});

/** Changes the tags of the version that the request names in place. Resolves with the header that names it. */
async function replaceTags(
  front: Front,
  request: S3Request,
  tags: Tags,
  originOp: string,
): Promise<Record<string, string>> {
  const { bucket: name, key, reqUids } = request;
  const { versionId } = objectNamed(request);
  return holdObject(front, request, key, async ({ bucket, current }) => {
    const found =
      versionId === undefined
        ? current && { value: current, storedAs: currentAs(current) }
        : await findVersion(front, request, { bucket: name, key, versionId }, current);
    if (!found) throw new S3Error(versionId === undefined ? 'NoSuchKey' : 'NoSuchVersion');
    const { value, storedAs } = found;
    if (value.isDeleteMarker === true)
      throw new S3Error(versionId === undefined ? 'NoSuchKey' : 'MethodNotAllowed');
    const update = { current, from: value, to: { ...value, tags, originOp }, storedAs };
    if (!(await front.metadata.updateObject(name, key, update, reqUids))) throw changedMeanwhile();
    return versionHeader(versionIdOf(bucket, value));
  });
}
