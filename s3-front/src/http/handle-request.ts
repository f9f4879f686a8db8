/** A request from its head to the end of its answer. */
import type { IncomingMessage } from 'node:http';
import type { Logger } from '@zenko-modules/common/logger';
import { originForm } from '@zenko-modules/common/origin-form';
import { authenticate } from '../auth/authenticate.js';
import { accountOf } from '../auth/keys.js';
import { headersFromQuery } from '../auth/signature-parameters.js';
import { RequestBody } from '../body/request-body.js';
import type { FrontMetrics } from '../front-metrics.js';
import type { Front } from '../operations/operation.js';
import { routeOf } from '../operations/route.js';
import { S3Error, toS3Error } from '../s3-errors.js';
import { endpointOf, isForBrowser, landingPage } from './landing-page.js';
import { parseTarget } from './request-target.js';
import { type Exchange, respond, respondError } from './respond.js';

export interface Handler {
  readonly front: Front;
  readonly log: Logger;
  readonly metrics: FrontMetrics;
}

/** What is known of a request while it is handled, for the log. */
interface Progress {
  operation: string;
  error: S3Error | undefined;
}

/** Never rejects: what goes wrong is answered and logged. */
export async function handleRequest({ front, log, metrics }: Handler, exchange: Exchange): Promise<void> {
  const started = performance.now();
  const { message, response, ids } = exchange;
  const requestLog = log.child({ reqUids: ids.reqUids });
  const progress: Progress = { operation: 'none', error: undefined };
  try {
    await answer(front, requestLog, exchange, progress);
  } catch (err) {
    if (isClientGone(err)) response.destroy();
    else progress.error = toS3Error(err);
  }
  if (progress.error) {
    await respondError(exchange, progress.error, pathOf(message)).catch((failure: unknown) => {
      requestLog.warn({ err: failure }, 'an error could not be answered');
      response.destroy();
    });
  }
  const gone = !response.writableFinished && response.destroyed;
  const seconds = (performance.now() - started) / 1000;
  metrics.requests.inc({ operation: progress.operation, status: gone ? 0 : response.statusCode });
  metrics.requestSeconds.observe({ operation: progress.operation }, seconds);
  logEnd(requestLog, exchange, progress, gone, seconds);
}

/** The answer could not be written to its end, and not for want of something to write. */
function isClientGone(err: unknown): boolean {
  return err instanceof Error && 'code' in err && err.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

async function answer(front: Front, log: Logger, exchange: Exchange, progress: Progress): Promise<void> {
  const { message, response, ids } = exchange;
  const method = message.method ?? 'GET';
  const target = parseTarget(message.url ?? '/');
  if (isForBrowser(message, target)) {
    progress.operation = 'page';
    await respond(exchange, landingPage(endpointOf(message)));
    return;
  }
  const keys = await front.keys();
  const authentication = authenticate(
    { method, target, headers: message.headers, rawHeaders: message.rawHeaders },
    keys,
  );
  const presigned = authentication.expiresSeconds !== undefined;
  const headers = presigned ? { ...headersFromQuery(target.query), ...message.headers } : message.headers;
  const route = routeOf({ method, target, isCopy: headers['x-amz-copy-source'] !== undefined });
  progress.operation = route.name;
  const onStart = (): void => {
    if (!exchange.awaitsContinue) return;
    exchange.awaitsContinue = false;
    response.writeContinue();
  };
  const result = await route.run(front, {
    method,
    bucket: target.bucket ?? '',
    key: target.key ?? '',
    query: target.query,
    headers,
    message,
    authentication,
    account: accountOf(keys, authentication.accessKey),
    reqUids: ids.reqUids,
    log,
    body: compute => new RequestBody({ message, authentication, onStart, compute }),
  });
  await respond(exchange, result);
}

/** As it came, without its query. */
function pathOf({ url = '/' }: IncomingMessage): string {
  return (originForm(url)?.url ?? url).split('?', 1)[0] ?? '/';
}

function logEnd(
  log: Logger,
  { message, response }: Exchange,
  { operation, error }: Progress,
  gone: boolean,
  seconds: number,
): void {
  const fields = {
    operation,
    method: message.method,
    // The query of a presigned URL is as good as a password.
    path: pathOf(message),
    status: response.statusCode,
    ms: Math.round(seconds * 1000),
  };
  if (error && error.status >= 500 && error.code !== 'NotImplemented') {
    log.error({ ...fields, err: error.cause ?? error }, 'request failed');
  } else if (error) log.info({ ...fields, code: error.code, reason: error.message }, 'request refused');
  else if (gone) log.info(fields, 'the client went away');
  else log.info(fields, 'request done');
}
