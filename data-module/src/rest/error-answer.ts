/** Errors as CloudServer's client reads them: the status, and `{"errorType","errorMessage"}` with a newline. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CatalogueError } from '@zenko-modules/common/errors';
import { discardBody, isBodyHeld } from './request-body.js';

export function errorBody(err: Pick<CatalogueError, 'type' | 'message'>): string {
  return `${JSON.stringify({ errorType: err.type, errorMessage: err.message })}\n`;
}

/**
 * Answers with the error. When the answer has begun already, the connection is cut instead, so that the client
 * sees a broken answer and no complete one.
 */
export async function answerError(
  err: CatalogueError,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const body = errorBody(err);
  const held = isBodyHeld(req);
  res.writeHead(err.code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    // What comes next on this connection could be the body or another request.
    ...(held ? { connection: 'close' } : {}),
  });
  if (req.method !== 'HEAD') res.write(body);
  else res.flushHeaders();
  const bodyEnded = held || (await discardBody(req));
  res.end();
  if (!bodyEnded) req.socket.destroySoon();
}
