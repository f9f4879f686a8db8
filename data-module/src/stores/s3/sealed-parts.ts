/** An upload's bytes as the parts of its object. */
import { crc32c } from '@node-rs/crc32';
import { CatalogueError } from '@zenko-modules/common/errors';
import { NO_BYTES, seal, SEAL_BYTES } from './sealed-object.js';

/** How many parts the object of a blob of `size` bytes has; an empty one has one, too. */
export function partCount(size: number, partBytes: number): number {
  return Math.max(1, Math.ceil(size / partBytes));
}

/**
 * The bytes of `source`, in parts of `partBytes`, the seal behind the last. A part is valid until the one after the next is
 * asked for: two buffers take turns.
 */
export async function* sealedParts(
  source: AsyncIterable<Buffer>,
  size: number,
  partBytes: number,
): AsyncGenerator<Buffer, void> {
  const count = partCount(size, partBytes);
  const buffers: Buffer[] = [];
  let checksum = NO_BYTES;
  let index = 0;
  let filled = 0;
  const dataBytes = (): number => (index < count - 1 ? partBytes : size - index * partBytes);
  const buffer = (): Buffer =>
    (buffers[index % 2] ??= Buffer.allocUnsafeSlow(Math.min(size, partBytes) + SEAL_BYTES));
  for await (let piece of source) {
    while (piece.length > 0) {
      const taken = piece.copy(buffer(), filled, 0, Math.min(piece.length, dataBytes() - filled));
      if (taken === 0) throw new CatalogueError('InvalidInput');
      checksum = crc32c(piece.subarray(0, taken), checksum);
      piece = piece.subarray(taken);
      filled += taken;
      if (index === count - 1 || filled < partBytes) continue;
      yield buffer().subarray(0, filled);
      index += 1;
      filled = 0;
    }
  }
  if (index < count - 1 || filled < dataBytes()) throw new CatalogueError('IncompleteBody');
  seal(checksum).copy(buffer(), filled);
  yield buffer().subarray(0, filled + SEAL_BYTES);
}
