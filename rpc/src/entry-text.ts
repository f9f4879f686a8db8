/**
 * Messages full of entries, as the bytes of their JSON text. Listings are most of what is sent, and nearly all of such
 * a message is the inside of two texts an entry: to escape them here, four bytes at a time, and to encode them on the
 * way takes half of the time that JSON.stringify takes and the encoding of its text after it.
 */
import type { StreamData } from './wire.js';

/** An item of a listing. It has no other members. */
export interface Entry {
  readonly key: string;
  readonly value: string;
}

/** The payload of a message whose items are all entries. */
export class EntryData implements StreamData {
  readonly streamId: string;
  readonly data: readonly Entry[];

  constructor(streamId: string, data: readonly Entry[]) {
    this.streamId = streamId;
    this.data = data;
  }

  /** The same, of which no bytes are made. */
  plain(): StreamData {
    const { streamId, data } = this;
    return { streamId, data };
  }
}

/** A whole text, in UTF-8. */
export class Utf8Text extends Uint8Array {}

/** Shorter ones are sent together with others, as texts. */
const MIN_LENGTH = 8 * 1024;
/** Longer ones are rare: a message is sent when it holds 100 KiB, and only a large value that travels alone is above it. */
const MAX_LENGTH = 128 * 1024;
const MAX_ENTRIES = 4096;
const MAX_HEAD = 1024;

/** Ends a key and a value in what is to be escaped. */
const END = '\0';
const AFTER_KEY = Buffer.from('","value":"');
const AFTER_VALUE = Buffer.from('"},{"key":"');
const TAIL = Buffer.from('"}]}]');

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [QUOTES, BACKSLASHES, SPACES] = [0x22222222, 0x5c5c5c5c, 0x20202020];
const [LOW_BITS, HIGH_BITS] = [0x01010101, 0x80808080 | 0];
const WORD = 4;

const plain = Buffer.allocUnsafeSlow(3 * MAX_LENGTH + WORD);
const escaped = Buffer.allocUnsafeSlow(
  MAX_HEAD + 2 * plain.length + 2 * MAX_ENTRIES * AFTER_KEY.length + TAIL.length,
);
const plainWords = new DataView(plain.buffer);
const escapedWords = new DataView(escaped.buffer);

/**
 * `head`, then `payload` as JSON in an array that `head` has opened; `undefined` when the payload is not fit for it: it
 * is short or very long, or holds control characters or half of a surrogate pair.
 * @param head ASCII, 800 characters at most
 */
export function entryText(head: string, { streamId, data }: EntryData): Utf8Text | undefined {
  const last = data.length - 1;
  if (last < 0 || last >= MAX_ENTRIES) return undefined;
  let texts = '';
  for (const { key, value } of data) texts += key + END + value + END;
  if (texts.length < MIN_LENGTH || texts.length > MAX_LENGTH || !texts.isWellFormed()) return undefined;
  const start = escaped.write(`${head}{"streamId":${JSON.stringify(streamId)},"data":[{"key":"`, 'latin1');
  const end = escapeAll(plain.write(texts), start, 2 * data.length);
  if (end === undefined) return undefined;
  // The last entry is followed by none.
  const length = end - AFTER_VALUE.length;
  TAIL.copy(escaped, length);
  const text = new Utf8Text(length + TAIL.length);
  text.set(escaped.subarray(0, text.length));
  return text;
}

/**
 * Escapes the first `length` bytes of `plain` to `escaped`, from `at` on. Returns where that ends; `undefined` when
 * there are other control characters than the ends of `texts` texts.
 */
function escapeAll(length: number, at: number, texts: number): number | undefined {
  let [from, to, ends] = [0, at, 0];
  // The last byte is an end: what lies behind it is read with it, and never looked at.
  while (from < length) {
    const word = plainWords.getInt32(from, true);
    escapedWords.setInt32(to, word, true);
    const quotes = word ^ QUOTES;
    const backslashes = word ^ BACKSLASHES;
    // Of those that a subtraction borrows from, the lowest bit is right: bytes that are zero, and those below a space.
    const special =
      (((quotes - LOW_BITS) & ~quotes) |
        ((backslashes - LOW_BITS) & ~backslashes) |
        ((word - SPACES) & ~word)) &
      HIGH_BITS;
    if (special === 0) {
      from += WORD;
      to += WORD;
      continue;
    }
    const before = (31 - Math.clz32(special & -special)) >> 3;
    from += before;
    to += before;
    const byte = plain[from++];
    if (byte === QUOTE || byte === BACKSLASH) {
      escaped[to++] = BACKSLASH;
      escaped[to++] = byte;
    } else if (byte === 0) {
      const piece = ends % 2 === 0 ? AFTER_KEY : AFTER_VALUE;
      for (let index = 0; index < piece.length; index += 1) escaped[to++] = piece[index] ?? 0;
      ends += 1;
    } else {
      return undefined;
    }
  }
  return ends === texts ? to : undefined;
}
