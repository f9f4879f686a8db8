/** Random choices, and bytes that are changed at random. */
import type { Random } from '@zenko-modules/common/testing/random';

export function pick<T>(random: Random, from: readonly [T, ...T[]] | readonly T[]): T {
  return from[random.integer(0, from.length - 1)] as T;
}

/** True in `percent` of all cases. */
export function chance(random: Random, percent: number): boolean {
  return random.integer(1, 100) <= percent;
}

export function randomBytes(random: Random, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at += 1) bytes[at] = random.integer(0, 255);
  return bytes;
}

/** What parsers stumble over. */
const PIECES = [
  '\r\n',
  '\n',
  '\r\n\r\n',
  '\0',
  ' ',
  ':',
  ';',
  '%',
  '%00',
  '%zz',
  '/../',
  '//',
  '-1',
  '0x10',
  'ffffffffffffffff',
  '99999999999999999999',
  '1e400',
  '{',
  '[[',
  '"',
  '"\\ud800"',
  '\u00ff',
  '\ufffd',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'Expect: 100-continue\r\n',
  'Connection: close\r\n',
  'a'.repeat(2000),
  'x: y\r\n'.repeat(150),
];

/** `bytes` with one to `most` changes: bits, runs of bytes, pieces that are put in, taken out, or doubled. */
export function mutate(random: Random, bytes: Buffer, most = 4): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (let left = random.integer(1, most); left > 0; left -= 1) result = change(random, result);
  return result;
}

function change(random: Random, bytes: Buffer): Buffer {
  const at = random.integer(0, bytes.length);
  const length = Math.min(bytes.length - at, random.integer(1, pick(random, [2, 16, 200])));
  const rest = bytes.subarray(at + length);
  switch (random.integer(0, 6)) {
    case 0:
      return flipBits(random, bytes, 1);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), rest]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at, at + length), rest]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, PIECES)), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), randomBytes(random, length), rest]);
    case 5:
      return Buffer.from(bytes.subarray(0, at));
    default:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, PIECES)), rest]);
  }
}

export function flipBits(random: Random, bytes: Buffer, count: number): Buffer {
  const result = Buffer.from(bytes);
  for (let left = count; left > 0 && result.length > 0; left -= 1) {
    const at = random.integer(0, result.length - 1);
    result[at] = (result[at] ?? 0) ^ (1 << random.integer(0, 7));
  }
  return result;
}
