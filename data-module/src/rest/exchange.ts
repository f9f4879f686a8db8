/** One request and its answer, from when it begins to when the answer has ended or was cut off: its counts, and its line in the log. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type CatalogueError, toCatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { DataMetrics } from '../data-metrics.js';
import { answerError } from './error-answer.js';

/** Longest part of the request ids that is logged. */
const MAX_UIDS_LENGTH = 512;

export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Bytes of a blob that was stored. */
  bytesIn = 0;
  /** Bytes of a blob that were sent, also when the answer is cut off. */
  bytesOut = 0;
  error: CatalogueError | undefined;
  readonly #started = performance.now();
  readonly #log: Logger;

  constructor(req: IncomingMessage, res: ServerResponse, log: Logger) {
    this.req = req;
    this.res = res;
    this.#log = log;
  }

  /** The ids by which the request can be followed through the stack; made only where something is to be said. */
  get requestIds(): { readonly reqUids?: string } {
    const uids = this.req.headers['x-scal-request-uids'];
    return uids === undefined ? {} : { reqUids: String(uids).slice(0, MAX_UIDS_LENGTH) };
  }

  /** Answers with the error. */
  fail(err: unknown): void {
    this.error = toCatalogueError(err);
    answerError(this.error, this.req, this.res).catch((failure: unknown) => {
      this.#log.error({ ...this.requestIds, err: failure }, 'cannot answer with an error');
      this.res.destroy();
    });
  }

  /** Measures and logs; to be called once, when the answer has ended or was cut off. */
  end(metrics: DataMetrics): void {
    const { req, res } = this;
    const method = req.method ?? '';
    const status = res.headersSent ? res.statusCode : 0;
    const seconds = (performance.now() - this.#started) / 1000;
    metrics.inFlight.dec();
    metrics.requestSeconds.observe({ method }, seconds);
    metrics.requests.inc({ method, status });
    if (this.bytesIn > 0) metrics.bytes.inc({ direction: 'in' }, this.bytesIn);
    if (this.bytesOut > 0) metrics.bytes.inc({ direction: 'out' }, this.bytesOut);
    // Successes are many, and few read of them: not even the line is made.
    if (this.error !== undefined || !res.writableFinished || this.#log.isLevelEnabled('debug'))
      this.#logEnd(method, status, seconds);
  }

  #logEnd(method: string, status: number, seconds: number): void {
    const { req, res, error, bytesIn, bytesOut } = this;
    const ms = Math.round(seconds * 1000);
    const fields = { ...this.requestIds, method, url: req.url, status, ms, bytesIn, bytesOut };
    // A client that cuts its connection is an everyday matter.
    const wentAway = !res.writableFinished && (error === undefined || error.type === 'IncompleteBody');
    if (wentAway) this.#log.info(fields, 'the client went away');
    else if (error === undefined) this.#log.debug(fields, 'request done');
    else if (error.code >= 500) this.#log.error({ ...fields, err: error }, 'request failed');
    else this.#log.info({ ...fields, errorType: error.type, reason: error.message }, 'request refused');
  }
}
