import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import { findWritableBucket } from '../operations/find-bucket.js';
import { readContentHeaders, refuseUnkeptPromises } from '../operations/object-headers.js';
import { type Operation, xmlResponse } from '../operations/operation.js';
import { parseTaggingHeader } from '../operations/tag-set.js';
import { buildXml } from '../xml.js';
import { readUploadChecksum } from './upload-request.js';
import { UploadStore } from './upload-store.js';
import { newUpload } from './upload-values.js';

/** CreateMultipartUpload */
export const createMultipartUpload: Operation = async (front, request) => {
  const { bucket: name, key, headers, reqUids } = request;
  refuseUnkeptPromises(headers);
  const content = readContentHeaders(headers);
  const tagging = typeof headers['x-amz-tagging'] === 'string' ? headers['x-amz-tagging'] : undefined;
  if (tagging !== undefined) parseTaggingHeader(tagging);
  const checksum = readUploadChecksum(headers);
  const upload = await front.locks.shared(name, async () => {
    const bucket = await findWritableBucket(front, request);
    const begun = newUpload({
      account: request.account,
      bucket: name,
      key,
      headers: content,
      tagging,
      location: bucket.locationConstraint ?? DEFAULT_LOCATION,
      ...checksum,
    });
    await new UploadStore(front, reqUids).put(name, begun);
    return begun;
  });
  const response = xmlResponse(
    buildXml('InitiateMultipartUploadResult', { Bucket: name, Key: key, UploadId: upload.uploadId }),
  );
  const { checksumAlgorithm, checksumType } = checksum;
  return {
    ...response,
    headers: {
      ...response.headers,
      ...(checksumAlgorithm && { 'x-amz-checksum-algorithm': checksumAlgorithm.toUpperCase() }),
      ...(checksumType && { 'x-amz-checksum-type': checksumType }),
    },
  };
};
