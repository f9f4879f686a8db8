/**
 * A line of a checksum log, as CHECKSUMS.md lays it down: `<check> <CRC-32C of the bytes> <length> "<key>"`, ASCII. The
 * check is the CRC-32C of all that comes after it. May never change on filled volumes.
 */
import { crc32c } from '@node-rs/crc32';
import type { BlobChecksum } from '../../../data-store.js';

export interface ChecksumEntry extends BlobChecksum {
  readonly key: string;
}

/** Keys are shorter, and no character of one takes more than six. */
export const MAX_LINE = 1024;
const MAX_KEY_LENGTH = 128;

/** As nearly all keys are: nothing in them that JSON writes otherwise. */
const PLAIN = /^[\w.-]+$/;
/** What JSON leaves as it is, but is not ASCII. */
const NOT_ASCII = /[\u007f-\uffff]/g;
const LINE = /^([0-9a-f]{8}) (([0-9a-f]{8}) (\d{1,16}) ("[ -~]*"))$/;

export function encodeEntry({ key, length, checksum }: ChecksumEntry): string {
  const name = PLAIN.test(key)
    ? `"${key}"`
    : JSON.stringify(key).replace(NOT_ASCII, one => `\\u${hex(one.charCodeAt(0)).slice(4)}`);
  const fields = `${hex(checksum)} ${length} ${name}`;
  return `${hex(crc32c(fields))} ${fields}\n`;
}

/** The entry of a line without its end; `undefined` when it is not what was written. */
export function decodeEntry(line: string): ChecksumEntry | undefined {
  const [, check, fields = '', checksum = '', digits, name = ''] = LINE.exec(line) ?? [];
  if (check === undefined || check !== hex(crc32c(fields))) return undefined;
  const key = keyOf(name);
  const length = Number(digits);
  if (key === undefined || !Number.isSafeInteger(length)) return undefined;
  return { key, length, checksum: parseInt(checksum, 16) };
}

/** The key, which may become a part of a path. */
function keyOf(name: string): string | undefined {
  let key: unknown;
  try {
    key = name.includes('\\') ? JSON.parse(name) : name.slice(1, -1);
  } catch {
    return undefined;
  }
  if (typeof key !== 'string' || key === '' || key.length > MAX_KEY_LENGTH) return undefined;
  return /[/\0]/.test(key) || key === '.' || key === '..' ? undefined : key;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
