import { CatalogueError } from '@zenko-modules/common/errors';
import type { ByteRange } from '../data-store.js';

/**
 * The part of a blob of `size` bytes that a Range header asks for, its end cut to the size. `undefined`, the
 * whole blob, for a header that cannot be parsed: another unit, several ranges, a start after its end.
 * @throws CatalogueError `InvalidRange` for a start at or past the end, and for the last 0 bytes.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  const [, first, last] = match ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') return satisfiable(size - Math.min(Number(last), size), size - 1, size);
  if (last !== '' && Number(first) > Number(last)) return undefined;
  return satisfiable(Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1), size);
}

function satisfiable(start: number, end: number, size: number): ByteRange {
  if (start >= size)
    throw new CatalogueError('InvalidRange', `the range starts past the end of ${size} bytes`);
  return { start, end };
}
