/** What is known of one request, from its head to the end of its answer: its logger, counts, and how it ended. */
import type { ServerResponse } from 'node:http';
import type { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';

export interface RequestContext {
  readonly log: Logger;
  /** Bytes of a blob that was stored. */
  bytesIn: number;
  /** Counts the bytes of a blob that were sent, also when the answer is cut off. */
  sent?: { readonly seen: number };
  error?: CatalogueError;
}

const contexts = new WeakMap<ServerResponse, RequestContext>();

export function setRequestContext(res: ServerResponse, log: Logger): RequestContext {
  const context: RequestContext = { log, bytesIn: 0 };
  contexts.set(res, context);
  return context;
}

export function requestContext(res: ServerResponse): RequestContext {
  const context = contexts.get(res);
  if (context === undefined) throw new Error('the response is of no known request');
  return context;
}
