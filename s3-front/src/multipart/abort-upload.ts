import { findWritableBucket } from '../operations/find-bucket.js';
import type { Front, Operation, S3Request } from '../operations/operation.js';
import { removeUpload } from './upload-data.js';
import { uploadName } from './upload-request.js';
import { holdUpload, type UploadName, UploadStore } from './upload-store.js';
import type { Upload } from './upload-values.js';

/** AbortMultipartUpload */
export const abortMultipartUpload: Operation = async (front, request) => {
  const name = uploadName(request);
  await findWritableBucket(front, request);
  await holdUpload(front, name.uploadId, async () => {
    const upload = await new UploadStore(front, request.reqUids).get(name);
    await endUpload(front, request, name, upload);
  });
  return { status: 204 };
};

/** For who holds the upload. It is marked first: an upload with data that is gone must not be completed. */
export async function endUpload(
  front: Front,
  request: Pick<S3Request, 'reqUids' | 'log'>,
  name: UploadName,
  upload: Upload,
): Promise<void> {
  const ending = { ...upload, abortInProgress: true };
  await new UploadStore(front, request.reqUids).put(name.bucket, ending);
  await removeUpload(front, request, name);
}
