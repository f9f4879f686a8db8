/**
 * Aborts multipart uploads that a module which has ended left behind. Those of other modules may be among them, and are
 * left alone: an upload takes `S3_STORE_UPLOAD_MS` at most, and only what is twice as old is aborted. Clocks may so differ
 * by that much, too.
 */
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { Repeated } from '../repeated.js';
import type { S3Calls } from './s3-calls.js';

const LONGEST_PAUSE_MS = 3_600_000;

export interface UploadSweepOptions {
  readonly calls: S3Calls;
  readonly prefix: string;
  /** Whether an object of this name may be a blob; all others are somebody else's. */
  readonly isBlob: (name: string) => boolean;
  readonly uploadMs: number;
  readonly log: Logger;
}

/** Begins at once, and is done again now and then until it is closed. */
export function sweepUploads(options: UploadSweepOptions): Repeated {
  const pauseMs = Math.min(LONGEST_PAUSE_MS, options.uploadMs / 2);
  return new Repeated(pauseMs, async signal => {
    try {
      await sweepOnce(options, signal);
    } catch (err) {
      const level = signal.aborted ? 'debug' : 'warn';
      options.log[level]({ err, reason: messageOf(err) }, 'multipart uploads cannot be swept; later again');
    }
  });
}

async function sweepOnce(options: UploadSweepOptions, signal: AbortSignal): Promise<void> {
  const { calls, prefix, isBlob, uploadMs, log } = options;
  for await (const { name, uploadId, startedAt } of calls.listUploads(prefix, signal)) {
    if (signal.aborted) return;
    if (startedAt === undefined || !isBlob(name)) continue;
    if (calls.now() - startedAt.getTime() <= 2 * uploadMs) continue;
    await calls.abortUpload(name, uploadId, signal);
    log.warn({ name, startedAt }, 'a multipart upload that a module left behind was aborted');
  }
}
