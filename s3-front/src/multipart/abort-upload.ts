import { findWritableBucket } from '../operations/find-bucket.js';
import type { Front, Operation, S3Request } from '../operations/operation.js';
import { findCompleted, removeUpload } from './upload-data.js';
import { uploadName } from './upload-request.js';
import { holdUpload, type UploadName, UploadStore } from './upload-store.js';
import type { Upload } from './upload-values.js';

/** How long after it was sent a completion may still come to the metadata module, whatever held it up. */
const LATEST_COMPLETION_MS = 900_000;

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

/**
 * For who holds the upload. It is marked first: an upload with data that is gone must not be completed. Where a completion was
 * sent whose object is not there, it may come yet, and needs the data: then it is left to a later sweep.
 */
export async function endUpload(
  front: Front,
  request: Pick<S3Request, 'reqUids' | 'log'>,
  name: UploadName,
  upload: Upload,
): Promise<void> {
  const ending = {
    ...upload,
    abortInProgress: true,
    abortedAt: upload.abortedAt ?? new Date().toISOString(),
  };
  await new UploadStore(front, request.reqUids).put(name.bucket, ending);
  const mayComeYet = upload.completeInProgress === true && !isOver(front, ending);
  if (mayComeYet && (await findCompleted(front, request, name)) === undefined) return;
  await removeUpload(front, request, name);
}

/** Whether an upload was aborted so long ago that no completion of it can come any more. */
export function isOver({ settings }: Pick<Front, 'settings'>, { abortedAt }: Upload): boolean {
  const patience = Math.min(LATEST_COMPLETION_MS, settings.S3_UPLOAD_MAX_AGE);
  return abortedAt !== undefined && Date.parse(abortedAt) < Date.now() - patience;
}
