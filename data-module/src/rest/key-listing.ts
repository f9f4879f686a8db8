/** The keys of all blobs as an answer: one a line, streamed. An answer that is cut off was not all. */
import type { ServerResponse } from 'node:http';
import { written } from './blob-requests.js';

const KEYS_IN_PIECE = 1000;

/** Rejects when the keys cannot be read, also in the middle: the answer is to be cut off then. */
export async function sendKeys(keys: AsyncIterable<string>, res: ServerResponse): Promise<void> {
  const head = (): void => {
    if (!res.headersSent) res.writeHead(200, { 'content-type': 'text/plain' });
  };
  for await (const piece of inPieces(keys)) {
    if (res.destroyed) return;
    head();
    await written(res, piece);
  }
  head();
  res.end();
}

async function* inPieces(keys: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let piece: string[] = [];
  for await (const key of keys) {
    piece.push(key);
    if (piece.length < KEYS_IN_PIECE) continue;
    yield `${piece.join('\n')}\n`;
    piece = [];
  }
  if (piece.length > 0) yield `${piece.join('\n')}\n`;
}
