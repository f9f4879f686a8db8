/** One log line and one set of measurements for each request, when its answer has ended or was cut off. */
import type { Request, RequestHandler, Response } from 'express';
import type { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { DataMetrics } from '../data-metrics.js';
import { type RequestContext, setRequestContext } from './request-context.js';

/** Longest part of the request ids that is logged. */
const MAX_UIDS_LENGTH = 512;

export function observeRequests(log: Logger, metrics: DataMetrics): RequestHandler {
  return (req, res, next) => {
    const started = performance.now();
    const uids = req.get('x-scal-request-uids')?.slice(0, MAX_UIDS_LENGTH);
    const context = setRequestContext(res, log.child(uids === undefined ? {} : { reqUids: uids }));
    metrics.inFlight.inc();
    res.once('close', () => {
      const seconds = (performance.now() - started) / 1000;
      metrics.inFlight.dec();
      metrics.requestSeconds.observe({ method: req.method }, seconds);
      metrics.requests.inc({ method: req.method, status: res.headersSent ? res.statusCode : 0 });
      metrics.bytes.inc({ direction: 'in' }, context.bytesIn);
      metrics.bytes.inc({ direction: 'out' }, context.sent?.seen ?? 0);
      logEnd(req, res, context, seconds);
    });
    next();
  };
}

function logEnd(req: Request, res: Response, context: RequestContext, seconds: number): void {
  const { log, error, bytesIn, sent } = context;
  const fields = {
    method: req.method,
    url: req.url,
    status: res.headersSent ? res.statusCode : 0,
    ms: Math.round(seconds * 1000),
    bytesIn,
    bytesOut: sent?.seen ?? 0,
  };
  if (isHangUp(error) || (error === undefined && !res.writableFinished))
    log.info(fields, 'the client went away');
  else if (error !== undefined && error.code >= 500) log.error({ ...fields, err: error }, 'request failed');
  else if (error !== undefined)
    log.info({ ...fields, errorType: error.type, reason: error.message }, 'request refused');
  else log.info(fields, 'request done');
}

/** A client that cuts its connection is an everyday matter. */
function isHangUp(error: CatalogueError | undefined): boolean {
  const cause = error?.cause;
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
