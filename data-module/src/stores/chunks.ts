/** A stream of bytes as chunks, and back. */
import { Readable } from 'node:stream';

/** The bytes of `source` in chunks of `chunkSize`, the last one shorter; each chunk in the pieces that came. */
export async function* inChunks(source: AsyncIterable<Buffer>, chunkSize: number): AsyncGenerator<Buffer[]> {
  let pieces: Buffer[] = [];
  let held = 0;
  for await (let piece of source) {
    while (held + piece.length >= chunkSize) {
      const room = chunkSize - held;
      yield [...pieces, piece.subarray(0, room)];
      piece = piece.subarray(room);
      pieces = [];
      held = 0;
    }
    if (piece.length > 0) {
      pieces.push(piece);
      held += piece.length;
    }
  }
  if (held > 0) yield pieces;
}

/**
 * Chunks `first` to `last`, in order, as one stream. `window` of them are asked for ahead of the one that is being
 * given out. Resolves when the first is there, and rejects when it is not; a later one that fails destroys the
 * stream.
 */
export async function streamChunks(
  fetch: (index: number) => Promise<Buffer>,
  first: number,
  last: number,
  window: number,
): Promise<Readable> {
  const opening = await fetch(first);
  return Readable.from(ahead(opening, fetch, first + 1, last, window), { objectMode: false });
}

async function* ahead(
  opening: Buffer,
  fetch: (index: number) => Promise<Buffer>,
  second: number,
  last: number,
  window: number,
): AsyncGenerator<Buffer> {
  const coming: Promise<Buffer>[] = [];
  let next = second;
  const ask = (): void => {
    while (next <= last && coming.length < window) {
      const chunk = fetch(next);
      // It is awaited in its turn; a reader who has gone by then must not turn its failure into a crash.
      chunk.catch(() => undefined);
      coming.push(chunk);
      next += 1;
    }
  };
  ask();
  yield opening;
  for (let chunk = coming.shift(); chunk !== undefined; chunk = coming.shift()) {
    ask();
    yield await chunk;
  }
}
