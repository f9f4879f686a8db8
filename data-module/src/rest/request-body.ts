/** Reading an upload's body, and getting rid of one that nobody reads. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CatalogueError } from '@zenko-modules/common/errors';
import { withDeadline } from '@zenko-modules/common/deadline';

/** How much of a refused upload is read, and for how long, so that its sender comes to read the answer. */
const DISCARD_LIMIT_BYTES = 16 * 1024 * 1024;
const DISCARD_LIMIT_MS = 10_000;

/**
 * The announced size of a body.
 * @throws CatalogueError `MissingContentLength`, `EntityTooLarge` for a size beyond what can be counted.
 */
export function contentLength(req: IncomingMessage): number {
  const header = req.headers['content-length'];
  if (header === undefined) throw new CatalogueError('MissingContentLength');
  const size = Number(header);
  if (!/^\d+$/.test(header))
    throw new CatalogueError('InvalidInput', 'Content-Length must be a whole number');
  if (!Number.isSafeInteger(size)) throw new CatalogueError('EntityTooLarge', `no blob has ${header} bytes`);
  return size;
}

/** Resolves with the whole body of `size` bytes, few enough for one buffer. `IncompleteBody` when it does not come. */
export function readSmallBody(req: IncomingMessage, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let body: Buffer | undefined;
    let filled = 0;
    const onGone = (err?: Error): void =>
      reject(new CatalogueError('IncompleteBody', 'the connection closed within the body', { cause: err }));
    if (req.destroyed && !req.complete) {
      onGone(req.errored ?? undefined);
      return;
    }
    req.on('data', (piece: Buffer) => {
      // Kept as they are, many small pieces would hold many times their bytes.
      if (filled === 0 && piece.length === size) body = piece;
      else piece.copy((body ??= Buffer.allocUnsafe(size)), filled);
      filled += piece.length;
    });
    // What comes after the end says nothing more, and an error takes time to make.
    const onClose = (): void => onGone();
    req.once('end', () => {
      req.off('close', onClose);
      if (filled === size) resolve(body ?? Buffer.alloc(0));
      else onGone();
    });
    req.once('error', onGone);
    req.once('close', onClose);
  });
}

/** Requests whose client waits for `100 Continue` before it sends the body. */
const waiting = new WeakSet<IncomingMessage>();

/** Remembers that the client asked, by `Expect`, to be told before it sends the body. */
export function holdBody(req: IncomingMessage): void {
  waiting.add(req);
}

/** Tells a client that waits to send its body. */
export function sendContinue(req: IncomingMessage, res: ServerResponse): void {
  if (waiting.delete(req)) res.writeContinue();
}

/** Whether the client has not been told to send its body, and so may never do. */
export function isBodyHeld(req: IncomingMessage): boolean {
  return waiting.has(req);
}

/**
 * Reads and forgets what is left of a body, for a bounded time and amount. Closing a connection on which bytes
 * lie unread would reset it, and take the answer away from a client that still sends.
 * Resolves with whether the body came to its end.
 */
export async function discardBody(req: IncomingMessage): Promise<boolean> {
  if (req.complete) return true;
  let discarded = 0;
  const ended = new Promise<boolean>(resolve => {
    req.on('data', (chunk: Buffer) => {
      discarded += chunk.length;
      if (discarded > DISCARD_LIMIT_BYTES) resolve(false);
    });
    req.once('end', () => resolve(true));
    req.once('close', () => resolve(false));
    req.once('error', () => resolve(false));
  });
  req.resume();
  return withDeadline(ended, DISCARD_LIMIT_MS, 'discarding a body').catch(() => false);
}
