/** The keys of all blobs as an answer: one a line, streamed. An answer that is cut off was not all. */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const KEYS_IN_PIECE = 1000;

/** Rejects when nothing has been sent yet; what fails later cuts the answer off. */
export async function sendKeys(keys: AsyncIterable<string>, res: ServerResponse): Promise<void> {
  const pieces = inPieces(keys);
  const first = await pieces.next();
  res.writeHead(200, { 'content-type': 'text/plain' });
  if (first.done === true) {
    res.end();
    return;
  }
  const all = async function* (): AsyncGenerator<string, void, undefined> {
    yield first.value;
    yield* pieces;
  };
  // The answer is destroyed by a failure: there is nobody else to tell.
  await pipeline(Readable.from(all()), res).catch(() => undefined);
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
