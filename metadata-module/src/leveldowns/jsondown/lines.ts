/** Text that comes in pieces, cut into lines with their positions. */
import type { StoredLine } from './storage.js';

const NEWLINE = 0x0a;

/** The lines of `pieces`, all that end within one piece at a time. The last one may lack its newline. */
export async function* splitLines(pieces: AsyncIterable<Buffer>): AsyncGenerator<readonly StoredLine[]> {
  /** Pieces of a line that has not ended yet. */
  let begun: Buffer[] = [];
  let line = 1;
  let start = 0;
  const take = (rest: Buffer, complete: boolean): StoredLine => {
    const bytes = begun.length === 0 ? rest : Buffer.concat([...begun, rest]);
    begun = [];
    const end = start + bytes.length + (complete ? 1 : 0);
    const taken = { bytes, line, start, end, complete };
    line += 1;
    start = end;
    return taken;
  };
  for await (const piece of pieces) {
    const lines: StoredLine[] = [];
    let from = 0;
    for (let at = piece.indexOf(NEWLINE); at !== -1; at = piece.indexOf(NEWLINE, from)) {
      lines.push(take(piece.subarray(from, at), true));
      from = at + 1;
    }
    if (from < piece.length) begun.push(piece.subarray(from));
    if (lines.length > 0) yield lines;
  }
  if (begun.length > 0) yield [take(Buffer.alloc(0), false)];
}
