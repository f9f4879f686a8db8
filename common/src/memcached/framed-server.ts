/**
 * memjs's server with another way to put its answers together. memjs copies all that it has received of an answer
 * at every packet, which costs more per byte the larger the value is, and takes whatever it reads for an answer. This
 * one joins an answer once, when its last byte is there, and gives up the connection when what comes is none.
 */
import { Server } from 'memjs';

const HEADER_BYTES = 24;
const ANSWER_MAGIC = 0x81;
const BODY_LENGTH_OFFSET = 8;

/** Larger than any item that a server takes (`-I` goes to 1 GiB, what we store to a few MiB). */
const MAX_BODY_BYTES = 256 * 1024 * 1024;

export class FramedServer extends Server {
  #pieces: Buffer[] = [];
  #held = 0;
  /** Bytes of the answer that is coming in; unknown until its header is there. */
  #wanted = HEADER_BYTES;

  override responseHandler(received: Buffer): void {
    let rest = received;
    while (rest.length > 0) {
      const piece = rest.subarray(0, this.#wanted - this.#held);
      rest = rest.subarray(piece.length);
      this.#pieces.push(piece);
      this.#held += piece.length;
      if (this.#held < this.#wanted) return;
      const joined = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#held);
      const total = this.#held === HEADER_BYTES ? HEADER_BYTES + bodyLength(joined) : this.#held;
      if (Number.isNaN(total)) {
        this.error(new Error('what the server sends is no answer'));
        return;
      }
      this.#wanted = total;
      if (this.#held < total) {
        this.#pieces = [joined];
        continue;
      }
      this.#pieces = [];
      this.#held = 0;
      this.#wanted = HEADER_BYTES;
      super.responseHandler(joined);
    }
  }

  /** Called with whole answers only, so that nothing is ever held over. */
  override appendToBuffer(answer: Buffer): Buffer {
    return Object.assign(this, { responseBuffer: answer }).responseBuffer;
  }
}

/** The length that an answer's header announces; NaN when it is no header of an answer. */
function bodyLength(header: Buffer): number {
  const length = header.readUInt32BE(BODY_LENGTH_OFFSET);
  const inside = header.readUInt16BE(2) + header.readUInt8(4);
  return header.readUInt8(0) === ANSWER_MAGIC && inside <= length && length <= MAX_BODY_BYTES
    ? length
    : Number.NaN;
}
