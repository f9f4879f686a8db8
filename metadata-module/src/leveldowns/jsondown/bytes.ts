/**
 * Keys and values in memory and in JSON.
 *
 * In memory they are strings whose characters are the bytes, as code points 0 to 255: the order of such
 * strings is byte order, they take less room than Buffers, and nobody can change one that was handed out.
 * In JSON, what is valid UTF-8 is plain text; anything else is `{"hex":"..."}`.
 */
import { isUtf8 } from 'node:buffer';

/** Bytes as code points 0 to 255. */
export type Bytes = string;
export type JsonBytes = string | { readonly hex: string };

/** The bytes of a key or value as a caller may give it: a Buffer as it is, anything else as UTF-8 text. */
export function toBytes(value: unknown): Bytes {
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1');
  }
  return fromText(String(value));
}

export function toBuffer(bytes: Bytes): Buffer {
  return Buffer.from(bytes, 'latin1');
}

/** The text that the bytes are in UTF-8; what is not valid becomes U+FFFD. */
export function toText(bytes: Bytes): string {
  return isAscii(bytes) ? bytes : toBuffer(bytes).toString('utf8');
}

export function toJson(bytes: Bytes): JsonBytes {
  if (isAscii(bytes)) return bytes;
  const buffer = toBuffer(bytes);
  return isUtf8(buffer) ? buffer.toString('utf8') : { hex: buffer.toString('hex') };
}

/** The bytes that `toJson` gave as `json`, or `undefined` when it never gives such. */
export function fromJson(json: unknown): Bytes | undefined {
  if (typeof json === 'string') return fromText(json);
  if (typeof json !== 'object' || json === null || !('hex' in json)) return undefined;
  const { hex } = json;
  if (typeof hex !== 'string' || !/^(?:[0-9a-f]{2})*$/.test(hex)) return undefined;
  return Buffer.from(hex, 'hex').toString('latin1');
}

function fromText(text: string): Bytes {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Only ASCII takes as many bytes in UTF-8 as it has characters. */
function isAscii(text: string): boolean {
  return Buffer.byteLength(text, 'utf8') === text.length;
}
