/** What Snappy has compressed, as LevelDB compresses blocks of its tables. */

/** @throws RangeError for what is not compressed so */
export function uncompress(bytes: Buffer): Buffer {
  let at = 0;
  const next = (): number => {
    const byte = bytes[at];
    if (byte === undefined) throw new RangeError('the block ends early');
    at += 1;
    return byte;
  };
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = next();
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift > 28) throw new RangeError('the size of the block is no size');
  }
  // No element of three bytes stands for more than 64.
  if (size > bytes.length * 64) throw new RangeError('the block is not as large as it says');
  const out = Buffer.alloc(size);
  let filled = 0;
  while (at < bytes.length) {
    const tag = next();
    let length = (tag >>> 2) + 1;
    if ((tag & 3) === 0) {
      if (length > 60) {
        const lengthBytes = length - 60;
        length = 1;
        for (let n = 0; n < lengthBytes; n += 1) length += next() * 2 ** (8 * n);
      }
      if (at + length > bytes.length || filled + length > size) throw new RangeError('a literal is too long');
      bytes.copy(out, filled, at, at + length);
      at += length;
    } else {
      let offset: number;
      if ((tag & 3) === 1) {
        length = ((tag >>> 2) & 7) + 4;
        offset = (tag >>> 5) * 256 + next();
      } else {
        offset = next() + next() * 256;
        if ((tag & 3) === 3) offset += (next() + next() * 256) * 65_536;
      }
      if (offset === 0 || offset > filled || filled + length > size)
        throw new RangeError('a copy is of nothing');
      // Byte by byte: a copy may go on into what it makes.
      for (let n = 0; n < length; n += 1) out[filled + n] = out[filled + n - offset] ?? 0;
    }
    filled += length;
  }
  if (filled !== size) throw new RangeError('the block is shorter than it says');
  return out;
}
