/** Removes uploads that nobody has gone on with for longer than S3_UPLOAD_MAX_AGE, and what aborting one has left. */
import { randomBytes } from 'node:crypto';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { METASTORE, SHADOW_BUCKET_PREFIX } from '../bucket-attributes.js';
import { afterPrefix } from '../listing/key-bounds.js';
import type { Front } from '../operations/operation.js';
import { endUpload, isOver } from './abort-upload.js';
import { removeParts } from './upload-data.js';
import { holdUpload, type UploadName, UploadStore } from './upload-store.js';
import { OVERVIEWS, type Part, readPartKey, type Upload } from './upload-values.js';

const LONGEST_PAUSE_MS = 3_600_000;
const SHORTEST_PAUSE_MS = 1000;
/** Uploads of one bucket, and parts of none, that one sweep removes at most. */
const AT_A_TIME = 10_000;

/** Sweeps again and again until `signal`. A sweep that fails, as while a module is away, is tried again later. */
export async function sweepUploads(front: Front, log: Logger, signal: AbortSignal): Promise<void> {
  const maxAgeMs = front.settings.S3_UPLOAD_MAX_AGE;
  const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, maxAgeMs / 4));
  const isStopping = (): boolean => signal.aborted;
  while (!isStopping()) {
    try {
      await sweepOnce(front, log, Date.now() - maxAgeMs, signal);
    } catch (err) {
      if (!isStopping()) log.info({ err }, 'abandoned uploads could not be swept; it will be tried again');
    }
    await sleep(pauseMs, signal);
  }
}

async function sweepOnce(front: Front, log: Logger, before: number, signal: AbortSignal): Promise<void> {
  const reqUids = `sweep:${randomBytes(6).toString('hex')}`;
  const upper = afterPrefix(SHADOW_BUCKET_PREFIX);
  const range = { gte: SHADOW_BUCKET_PREFIX, ...(upper === undefined ? {} : { lt: upper }) };
  const buckets: string[] = [];
  for await (const { key } of front.metadata.read(METASTORE, range, reqUids)) {
    buckets.push(key.slice(SHADOW_BUCKET_PREFIX.length));
  }
  for (const bucket of buckets) {
    if (signal.aborted) return;
    try {
      await sweepBucket(front, log.child({ reqUids }), reqUids, bucket, before);
    } catch (err) {
      if (isErrorType(err, 'ServiceUnavailable')) throw err;
      log.warn({ err, bucket }, 'abandoned uploads of this bucket could not be swept');
    }
  }
}

async function sweepBucket(
  front: Front,
  log: Logger,
  reqUids: string,
  bucket: string,
  before: number,
): Promise<void> {
  const store = new UploadStore(front, reqUids);
  const upper = afterPrefix(OVERVIEWS);
  const overviews = { gte: OVERVIEWS, ...(upper === undefined ? {} : { lt: upper }) };
  const underWay = new Set<string>();
  // Read before they are worked on: the module does not wait for long until somebody reads on.
  const old: UploadName[] = [];
  for await (const { value } of store.read(bucket, overviews)) {
    const upload = JSON.parse(value) as Upload;
    const { key, uploadId, initiated } = upload;
    underWay.add(uploadId);
    const isOld = Date.parse(initiated) < before || isOver(front, upload);
    if (isOld && old.length < AT_A_TIME) old.push({ bucket, key, uploadId });
  }
  const leftovers: Part[] = [];
  for await (const { key, value } of store.read(bucket, { lt: OVERVIEWS })) {
    const part = JSON.parse(value) as Part;
    const uploadId = readPartKey(key)?.uploadId;
    if (uploadId === undefined || underWay.has(uploadId)) continue;
    if (Date.parse(part['last-modified']) < before && leftovers.length < AT_A_TIME)
      leftovers.push({ ...part, key });
  }
  for (const name of old) await sweepUpload(front, log, reqUids, name, before);
  if (leftovers.length === 0) return;
  // Of no upload: left by a daemon that ended while it completed or removed one, so objects may refer to their data.
  log.info({ bucket, parts: leftovers.map(({ key }) => key) }, 'removing parts of no upload');
  await removeParts(front, { reqUids, log }, { bucket }, leftovers);
}

async function sweepUpload(
  front: Front,
  log: Logger,
  reqUids: string,
  name: UploadName,
  before: number,
): Promise<void> {
  await holdUpload(front, name.uploadId, async () => {
    const store = new UploadStore(front, reqUids);
    const upload = await store.find(name);
    if (!upload) return;
    for await (const { part } of isOver(front, upload) ? [] : store.parts(name)) {
      if (Date.parse(part['last-modified']) >= before) return;
    }
    log.info({ ...name, initiated: upload.initiated }, 'removing an abandoned upload');
    await endUpload(front, { reqUids, log }, name, upload);
  });
}
