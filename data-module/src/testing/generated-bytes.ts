/** Bytes of any amount that need not be kept: the same seed makes the same bytes again. */
import { createCipheriv, createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

const PIECE_BYTES = 64 * 1024;

/** `size` bytes that look random, made as they are read. */
export function generatedBytes(seed: number, size: number): Readable {
  return Readable.from(pieces(seed, size), { objectMode: false });
}

export function generatedBuffer(seed: number, size: number): Promise<Buffer> {
  return buffer(generatedBytes(seed, size));
}

function* pieces(seed: number, size: number): Generator<Buffer> {
  const key = Buffer.alloc(16);
  key.writeDoubleBE(seed);
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(PIECE_BYTES);
  for (let left = size; left > 0; left -= PIECE_BYTES) {
    yield cipher.update(zeros.subarray(0, Math.min(left, PIECE_BYTES)));
  }
}

/** Reads a stream to its end; resolves with its SHA-256 in hex and its length. */
export async function digestOf(stream: Readable): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  await pipeline(stream, async (source: AsyncIterable<Buffer>) => {
    for await (const piece of source) {
      hash.update(piece);
      size += piece.length;
    }
  });
  return { sha256: hash.digest('hex'), size };
}
