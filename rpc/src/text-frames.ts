/**
 * Small messages to one peer, joined: of what a call costs, a system call of its own for each message would be the
 * largest part. But who waits for many answers begins to work on the first of them while the others are made.
 */
import type { Duplex } from 'node:stream';

/** So many messages do not wait for the end of the turn. */
const MAX_JOINT = 8;

const WHOLE_TEXT = 0x81;
/** Lengths up to this stand in the second byte, … */
const MAX_SHORT = 125;
/** … others in the two bytes after it, up to what those can hold. */
const TWO_BYTES = 126;
const LONG_HEADER = 4;

/** No text of more bytes, of three for each unit at most, may be added. */
export const MAX_TEXT_LENGTH = Math.floor(0xffff / 3);

export class TextFrames {
  readonly #connection: Duplex;
  #texts: string[] = [];
  #bytes = 0;

  constructor(connection: Duplex) {
    this.#connection = connection;
  }

  /** Bytes that wait here and in the connection. */
  get waiting(): number {
    return this.#bytes + this.#connection.writableLength;
  }

  /** Sends `text`, at the latest at the end of this turn of the event loop. */
  add(text: string): void {
    if (this.#texts.length === 0) process.nextTick(() => this.flush());
    this.#texts.push(text);
    this.#bytes += text.length;
    if (this.#texts.length >= MAX_JOINT) this.flush();
  }

  /** To be called before something else is sent. */
  flush(): void {
    if (this.#texts.length === 0) return;
    const texts = this.#texts;
    this.#texts = [];
    this.#bytes = 0;
    this.#connection.write(framesOf(texts));
  }
}

/** RFC 6455, 5.2: whole text messages, unmasked as a server sends them. */
function framesOf(texts: readonly string[]): Buffer {
  const lengths = texts.map(text => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + LONG_HEADER + length, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    const length = lengths[index] ?? 0;
    at = frames.writeUInt8(WHOLE_TEXT, at);
    if (length <= MAX_SHORT) {
      at = frames.writeUInt8(length, at);
    } else {
      at = frames.writeUInt8(TWO_BYTES, at);
      at = frames.writeUInt16BE(length, at);
    }
    // As many bytes as units: it is all ASCII, which is copied as it is.
    at += frames.write(text, at, length === text.length ? 'latin1' : 'utf8');
  }
  return frames.subarray(0, at);
}
